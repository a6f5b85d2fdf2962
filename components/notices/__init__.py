"""Notifications of releases."""
