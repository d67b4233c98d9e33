"""Rows before they exist: where a spec says they come from, what is done to them, and what that tells a plan."""
