"""training/: what candidates of any family are trained from."""
