"""The ledger as a whole: its id and head, whether it is as it was written, and who may vote.

Belongs here: what is asked of a ledger besides rounds and promotions. Not here: the chain itself (chain.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from labeling.review.ledger import chain
from labeling.review.ledger.database import Database
from labeling.review.ledger.records import Head
from labeling.review.ledger.tables import ANNOTATORS, BALLOTS, NOTES, ROUND_EVENTS


@dataclass(frozen=True)
class Annotator:
    """An account whose ballots count. account: Label Studio's id, None where it voted before accounts were listed.

    origin: added (by `selvedge review annotator add`), existing (an account of a team's that was listed by it),
    scripted, or before (had voted when accounts began to be listed).
    """

    email: str
    account: int | None
    origin: str
    at: datetime
    position: int  # in the chain


class LedgerRecord:
    """The ledger as a whole; made by `Ledger`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.migrated = database.migrated

    def head(self) -> Head:
        """The chain's newest link."""
        with self._database.reading() as connection:
            newest = chain.head(connection)
        assert newest is not None  # opening a ledger writes its first note
        return newest

    def link_sha256(self, number: int) -> str | None:
        """The hash of a link; None where the chain is shorter."""
        with self._database.reading() as connection:
            return chain.link_sha256(connection, number)

    def problems(self) -> list[str]:
        """What is wrong with triggers, chain and rows, one sentence each; some 0.1 s for 10,000 rows.

        Raises:
            SelvedgeError: the database is damaged.
        """
        with self._database.reading() as connection:
            return chain.problems(connection)

    def notes(self) -> list[tuple[str, str, datetime]]:
        """What happened to the ledger itself: kind, detail, when."""
        with self._database.reading() as connection:
            return [
                (row.kind, row.detail, row.at) for row in connection.execute(select(NOTES).order_by(NOTES.c.number))
            ]

    def accept(self, detail: str) -> None:
        """Note for good that a person took the ledger as it is."""
        with self._database.writing() as connection:
            chain.note(connection, chain.ACCEPTED, detail)

    def annotators(self) -> list[Annotator]:
        """Everybody whose ballots count, in the order of listing."""
        with self._database.reading() as connection:
            rows = connection.execute(select(ANNOTATORS).order_by(ANNOTATORS.c.number))
            positions = chain.positions(connection, ANNOTATORS)
            return [
                Annotator(row.email, row.account, row.origin, row.at, positions.get(chain.row_key(row.number), 0))
                for row in rows
            ]

    def list_annotator(self, email: str, account: int | None, origin: str) -> None:
        """List an account, from here on; one that is listed already stays as it is."""
        email = email.strip().lower()
        with self._database.writing() as connection:
            same = (ANNOTATORS.c.email == email) & (ANNOTATORS.c.account == account)
            if connection.execute(select(ANNOTATORS.c.number).where(same)).first() is None:
                chain.list_annotator(connection, email, account, origin)

    def ballot_positions(self) -> Mapping[str, int]:
        """Where each ballot stands in the chain, by `chain.row_key` of round, annotation and revision."""
        with self._database.reading() as connection:
            return chain.positions(connection, BALLOTS)

    def closing_position(self, round_id: str) -> int | None:
        """Where the close of a round stands in the chain; None while it is open."""
        closing = (ROUND_EVENTS.c.round_id == round_id) & (ROUND_EVENTS.c.event == "closed")
        with self._database.reading() as connection:
            number = connection.scalar(select(ROUND_EVENTS.c.number).where(closing))
            key = chain.row_key(round_id, number)
            return None if number is None else chain.positions(connection, ROUND_EVENTS).get(key)
