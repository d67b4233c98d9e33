"""What the benchmarks share: the same graph for each tool, a fair clock, and figures held against their budgets."""
