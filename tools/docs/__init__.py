"""Generates what the documentation says of the code: `python -m tools.docs.generate`."""
