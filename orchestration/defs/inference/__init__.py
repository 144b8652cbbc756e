"""inference/: the champions at work on every drop."""
