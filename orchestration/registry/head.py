"""What a home remembers of its ledger: its id and the head of its hash chain, in a file that only its owner reads.

Belongs here: the file, and holding a ledger to it. Not here: the chain (labeling/review/ledger/chain.py), opening a
ledger (ledger.py).

The file is written before a transaction commits, with the head before and the head after it, and again when it has
committed: after a kill the database has one of the two. A ledger that several homes write to may have gone on since; of
such a one the remembered head must still be a link.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.errors import SelvedgeError
from catalog.files import publish_text
from infra.local.lock import exclusive
from labeling.review.ledger.records import Head
from orchestration.runtime.services import in_our_words

if TYPE_CHECKING:
    from labeling.review.ledger.ledger import Ledger

LOCK_SECONDS = 30.0
ACCEPT = "or, once you have compared `selvedge history` with what you know, run `selvedge doctor --accept-ledger`"


@dataclass(frozen=True)
class HeadFile:
    """A home's memory of its ledger: a `database.HeadKeeper`.

    Attributes:
        path: of the file. ledger: the database, as sentences name it. alone: no other home writes to it.
    """

    path: Path
    ledger: str
    alone: bool

    def remembered(self) -> tuple[Head | None, Head | None] | None:
        """The head, and the one that a transaction was about to make; None where the home knows of no ledger.

        Raises:
            SelvedgeError: the file is damaged.
        """
        try:
            content: dict[str, Any] = json.loads(self.path.read_text())
            head, following = (None if content[name] is None else Head(**content[name]) for name in ("head", "next"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SelvedgeError(
                f"{self.path}, this home's memory of its ledger, cannot be read; restore it from a backup, {ACCEPT}."
            ) from error
        return head, following

    def announce(self, before: Head | None, after: Head) -> None:
        """As `HeadKeeper`. Raises: SelvedgeError: `before` is not what is remembered; nothing may be written then."""
        with self._alone():
            if (sentence := self._objection(before)) is not None:
                raise SelvedgeError(sentence)
            self._write(before, after)

    def settle(self, after: Head) -> None:
        """As `HeadKeeper`; a later transaction may have come between."""
        with self._alone():
            remembered = self.remembered()
            if remembered is not None and remembered[1] == after:
                self._write(after, None)

    def accept(self, head: Head) -> None:
        """Take a head as the right one, whatever was remembered."""
        with self._alone():
            self._write(head, None)

    @contextmanager
    def unchanging(self) -> Iterator[None]:
        """Nobody announces a transaction meanwhile: the file and a copy of the database that is made now agree."""
        with self._alone():
            yield

    def problems(self, ledger: "Ledger") -> list[str]:
        """What is wrong with an open ledger by this home's memory, in one sentence; empty where they agree."""
        head = ledger.record.head()
        try:
            remembered = self.remembered()
            sentence = self._objection(head)
        except SelvedgeError as error:
            return [str(error)]
        if sentence is None and remembered is not None and not self.alone:
            links = [head for head in remembered if head is not None]
            if links and all(ledger.record.link_sha256(head.number) != head.sha256 for head in links):
                sentence = self._changed()
        return [] if sentence is None else [sentence]

    def lost(self) -> str:
        """The sentence for a ledger that is gone or empty although this home had one."""
        remembered = self.remembered() or (None, None)
        head = remembered[0] or remembered[1]
        size = f" with {head.number} entries" if head else ""
        return (
            f"the ledger {self.ledger} is missing or empty, but this home had one{size}; restore it from a backup, set "
            "SELVEDGE_LEDGER if it lies elsewhere, or "
            f"delete {self.path} to begin a new one without its rounds and promotions."
        )

    def _objection(self, head: Head | None) -> str | None:
        """Why a ledger with this head is not the one that is remembered."""
        remembered = self.remembered()
        if remembered is None:
            accepted = head is None or not self.alone
            return None if accepted else (
                f"{self.path}, this home's memory of its ledger, is gone; restore it from a backup, {ACCEPT}."
            )  # fmt: skip
        if remembered[0] is None and remembered[1] is not None and head is None:
            return None  # killed while it was made
        if head is None:
            return self.lost()
        if head.ledger not in {memory.ledger for memory in remembered if memory is not None}:
            return (
                f"the ledger {self.ledger} is another one than this home had; restore its own from a backup, {ACCEPT}."
            )
        return self._changed() if self.alone and head not in remembered else None

    def _changed(self) -> str:
        return (
            f"the ledger {self.ledger} is not as this home left it: entries were added, changed or taken away by "
            f"another program; restore it from a backup, {ACCEPT}."
        )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = self.path.with_name(f".{self.path.name}.lock")
        with in_our_words(), exclusive(lock, LOCK_SECONDS, "remembering the ledger"):
            yield

    def _write(self, head: Head | None, following: Head | None) -> None:
        content = {"head": head and asdict(head), "next": following and asdict(following)}
        # On disk before the database is, else a power cut could leave less than that has.
        publish_text(json.dumps(content, indent=1) + "\n", self.path, private=True)
