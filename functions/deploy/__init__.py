"""Deploys rolling services."""
