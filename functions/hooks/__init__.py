"""Lifecycle hooks of a deployment."""
