"""Everything that is printed: for people in words and tables, for programs as JSON."""
