"""The release: its template, the gate that verifies it, the pipeline."""
