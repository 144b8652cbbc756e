"""The proxy in front of Dagster, MLflow and Label Studio: the only addresses of theirs that people are given.

None of the three asks who speaks to it (Label Studio asks, but lets every annotator read and write everybody's
ballots), and a browser lets any page send requests to this machine. So each stands behind a process of this package.
Whom it lets in is in admission.py, what an annotator reaches in annotators.py, how a request travels in forwarding.py.
"""
