"""Metrics, statistics and the promotion rule: evidence in, decision out. Nothing here writes to a registry."""
