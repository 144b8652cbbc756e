"""Whole jobs in one process: the loop over the graph, a backfill, the demo."""
