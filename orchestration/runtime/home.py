"""The home while a command runs services or the whole graph on it: one at a time, with its inbox made.

Belongs here: the lock of a home. Not here: its paths (settings.py), its services (services.py).

Two daemons on one database launch every run twice; two MLflows and two Label Studios write beside each other. So `up`
and `demo` hold the home; the kernel lets go of it when the process ends, however it ends.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from infra.local.lock import exclusive
from orchestration.runtime.reserve import keep_reserve
from orchestration.runtime.services import in_our_words
from orchestration.runtime.settings import Settings

LOCK = "home.lock"
PATIENCE_SECONDS = 1.0


@contextmanager
def held(settings: Settings, command: str, frees: bool = False) -> Iterator[None]:
    """Hold the home for a command, with its reserve of the disk.

    Args:
        command: as a person types it, for whoever is refused meanwhile. frees: it makes room, and asks for none.

    Raises:
        SelvedgeError: the disk has next to nothing left.
        ServiceUnavailable: another process holds it; the sentence says which one, and since when.
    """
    with in_our_words(), exclusive(settings.home / LOCK, PATIENCE_SECONDS, f"running `{command}` on {settings.home}"):
        if not frees:
            keep_reserve(settings)
        if settings.inbox_folder is not None:
            settings.inbox_folder.mkdir(parents=True, exist_ok=True)
        yield
