"""From a graph and what is known of the world to what would happen, and why: pure, but for `gather` and `files`."""
