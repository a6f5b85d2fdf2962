"""The one command line, and what generates the documentation."""
