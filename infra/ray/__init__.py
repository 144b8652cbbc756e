"""A Ray cluster, asked from a process of its own. Nothing here knows what is computed."""
