"""What CI uses: repositories, its role, the bucket of hand-offs; and what starts the pipeline."""
