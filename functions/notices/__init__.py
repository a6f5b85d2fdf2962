"""Posts notifications."""
