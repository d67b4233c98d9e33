"""What was made, kept by content: trees, what made them, who holds them, here and on a remote."""
