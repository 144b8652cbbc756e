"""Progress: how a long step of a round reports that it goes on.

Belongs here: the callable and two ways to make one. Not here: where it is shown (the caller's reporter).
"""

from collections.abc import Callable

Progress = Callable[[int, int, str], None]  # (done, total, what is being done)


def silent(done: int, total: int, activity: str) -> None:
    """Reports nothing."""


def named(progress: Progress, activity: str) -> Callable[[int, int], None]:
    """A reporter of (done, total) for a step that does not know what it is called here."""
    return lambda done, total: progress(done, total, activity)
