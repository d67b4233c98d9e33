"""The page of a graph: its facts, its drawings, its words."""
