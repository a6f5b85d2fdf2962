"""Generates what the documentation says of the code: `make docs`, `make prove`."""
