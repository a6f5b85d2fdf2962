"""Generates what the documentation says of the code: `python -m docs.generate`."""
