"""The release: template, release gate, pipeline."""
