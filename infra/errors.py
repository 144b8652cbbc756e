"""The error of a local service: one sentence that names the service, its port and the setting to change.

Belongs here: that class. Not here: the errors of our rooms (catalog/errors.py); infra knows no room, so orchestration
turns this one into theirs.
"""


class ServiceFailure(Exception):
    """A local service could not be started, reached or stopped."""
