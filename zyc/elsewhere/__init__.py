"""What leaves a project, and what comes home."""
