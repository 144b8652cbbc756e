"""Champions: which versions answer now, looked up every few seconds and swapped without a pause.

Belongs here: asking, loading, swapping. Not here: who is champion (orchestration/ asks registry and ledger).

A request takes what there is once, and keeps it to its end. A new champion is loaded beside the old one and then takes
its place, so nobody waits and no answer is of two versions. Where nobody can be asked, the last one goes on answering.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock, Thread

from catalog.errors import SelvedgeError
from training.blip2.artefact import AttributeModel

ATTRIBUTES, RANKER, SEGMENTER = "attributes", "ranker", "segmenter"
EVERY_SECONDS = 3.0
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Champion:
    """A version: its address, as answers show it, and its artefact's folder."""

    uri: str
    folder: Path


@dataclass(frozen=True)
class Served:
    """A champion whose weights are in memory."""

    champion: Champion
    model: AttributeModel


Resolver = Callable[[], Champion | None]


class Champions:
    """The versions that answer.

    Args:
        resolvers: role to what names its champion; None where there is none and nobody needs one.
        load: the attributes' model from its folder.
    """

    def __init__(self, resolvers: Mapping[str, Resolver], load: Callable[[Path], AttributeModel]) -> None:
        self._resolvers, self._load = resolvers, load
        self._champions: dict[str, Champion] = {}
        self._served: Served | None = None
        self._troubles: dict[str, str] = {}
        self._asked, self._stopped, self._refreshing = Event(), Event(), Lock()

    def refresh(self) -> None:
        """Ask once for every role; what cannot be had is a sentence in `troubles`, and the earlier version stays."""
        with self._refreshing:
            for role, resolve in self._resolvers.items():
                try:
                    self._swap(role, resolve())
                    self._troubles.pop(role, None)
                except SelvedgeError as error:
                    if self._troubles.get(role) != str(error):
                        logger.warning("%s", error)
                    self._troubles[role] = str(error)
            self._asked.set()

    def _swap(self, role: str, champion: Champion | None) -> None:
        if champion is None:
            self._champions.pop(role, None)
            return
        if role == ATTRIBUTES and (self._served is None or self._served.champion != champion):
            self._served = Served(champion, self._load(champion.folder))
            logger.warning("attributes are answered by %s from now on", champion.uri)
        self._champions[role] = champion

    def attributes(self) -> Served | None:
        """What answers questions about a photograph; None where there is no champion (see `troubles`)."""
        return self._served

    def named(self) -> dict[str, Champion]:
        """Role to champion, of those there are."""
        return dict(self._champions)

    @property
    def troubles(self) -> dict[str, str]:
        """Role to the sentence that says why its champion could not be had at the last look."""
        return dict(self._troubles)

    @property
    def asked(self) -> bool:
        """Whether everybody was asked at least once."""
        return self._asked.is_set()

    def start(self, every: float = EVERY_SECONDS) -> None:
        """Ask from now on, on a thread of its own, until `stop`."""

        def ask() -> None:
            while not self._stopped.is_set():
                self.refresh()
                self._stopped.wait(every)

        Thread(target=ask, daemon=True, name="champions").start()

    def stop(self) -> None:
        self._stopped.set()
