"""Modules that several functions use."""
