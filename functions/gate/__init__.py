"""Verifies a hand-off and renders the release."""
