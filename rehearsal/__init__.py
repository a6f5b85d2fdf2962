"""Runs stacks and releases without a cloud."""
