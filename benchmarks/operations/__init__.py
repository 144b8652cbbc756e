"""Proofs by breaking: Selvedge left alone, killed, starved, raced. `python -m benchmarks.operations ROW [--small]`.

Belongs here: one module a row, and what they share (shop.py, families.py). Not here: what they break.
"""
