"""Pairs: what two sides show, which products and controls a round has, and which side is which."""
