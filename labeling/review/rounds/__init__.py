"""Rounds: opening, voting, pulling, judging and reporting a blind comparison."""
