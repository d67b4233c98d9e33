"""What merges know of their trade: the methods and their parameters, what keeps models apart, the file that mergekit reads."""
