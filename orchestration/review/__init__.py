"""Rounds, whole: from two versions of a model to people's ballots, a verdict and its report."""
