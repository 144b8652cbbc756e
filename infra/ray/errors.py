"""The errors of a Ray cluster that are no `ServiceFailure`: asking again would give the same.

Belongs here: that class. Not here: a cluster that is away (infra/errors.py); infra knows no room, so orchestration
turns both into theirs.
"""


class ClusterRefusal(Exception):
    """The cluster is there and cannot do what it was asked; one sentence."""
