"""Blind review by people: from two versions' results to a round's ballots. The rule that decides is in evaluation/."""
