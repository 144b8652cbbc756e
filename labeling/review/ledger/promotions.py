"""The ledger of promotions: every move of a champion's alias, announced before it is made and ended after.

Belongs here: the records and the compare-and-swap on them. Not here: moving the alias (orchestration/), whether a
candidate deserves it (evaluation/gate.py).

An intent is a claim on the family's next number. A second promotion at the same time finds the first one's intent, or
another champion than its evidence names, or the number taken, and is told; whoever starts after a kill finds the intent
open and completes or abandons it.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from catalog.errors import SelvedgeError
from labeling.review.ledger.chain import append
from labeling.review.ledger.database import Database
from labeling.review.ledger.records import PromotionKind, PromotionRecord
from labeling.review.ledger.tables import PROMOTION_ENDS, PROMOTIONS


class PromotionLedger:
    """Promotion records of all families; made by `Ledger`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def intend(
        self,
        *,
        family: str,
        kind: PromotionKind,
        candidate: str,
        version: str,
        old_champion: str | None,
        previous_champion: str | None,
        who: str,
        reasons: Sequence[str],
        evidence: Mapping[str, str],
        simulated: bool = False,
        now: datetime | None = None,
    ) -> PromotionRecord:
        """Announce a move before any alias moves.

        Args:
            old_champion: who is champion as the caller sees it; it must be who this ledger says.
            evidence: id -> sha256 of everything the move rests on.

        Raises:
            SelvedgeError: another move of the family is not ended, or the champion is another one.
        """
        at = now or _now()
        with self._database.writing() as connection:
            last = _last(connection, family)
            _refuse_swap(connection, family, version, old_champion)
            record = PromotionRecord(
                record_id=f"{at.astimezone(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}",
                family=family,
                number=1 if last is None else last.number + 1,
                kind=kind,
                candidate=candidate,
                version=version,
                old_champion=old_champion,
                previous_champion=previous_champion,
                who=who,
                reasons=tuple(reasons),
                evidence=dict(evidence),
                simulated=simulated,
                at=at,
            )
            _insert(connection, record)
        return record

    def complete(self, record_id: str, detail: str = "", now: datetime | None = None) -> PromotionRecord:
        """Note that the aliases moved; completing twice is completing once.

        Raises:
            SelvedgeError: there is no such record, or it was abandoned.
        """
        return self._end(record_id, "completed", detail, now)

    def abandon(self, record_id: str, reason: str, now: datetime | None = None) -> PromotionRecord:
        """Note that the alias did not move and will not.

        Raises:
            SelvedgeError: there is no such record, or it was completed.
        """
        return self._end(record_id, "abandoned", reason, now)

    def record_found(
        self, family: str, version: str, candidate: str, detail: str, now: datetime | None = None
    ) -> PromotionRecord:
        """Note that the alias was found on a version that no record put it on: moved by hand, nobody knows by whom.

        Raises:
            SelvedgeError: a move of the family is not ended, or that version is champion by the record.
        """
        at = now or _now()
        with self._database.writing() as connection:
            champion, last = _champion(connection, family), _last(connection, family)
            old = None if champion is None else champion.version
            _refuse_swap(connection, family, version, old)
            record = PromotionRecord(
                record_id=f"{at.astimezone(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}",
                family=family,
                number=1 if last is None else last.number + 1,
                kind="by_hand",
                candidate=candidate,
                version=version,
                old_champion=old,
                previous_champion=old,
                who="unknown",
                reasons=(detail,),
                evidence={},
                simulated=False,
                at=at,
            )
            _insert(connection, record)
            return _end(connection, record, "completed", detail, at)

    def open_intents(self, family: str | None = None) -> list[PromotionRecord]:
        """Moves that were announced and not ended: to be repaired at start."""
        with self._database.reading() as connection:
            return [record for record in _records(connection, family) if record.outcome is None]

    def history(self, family: str | None = None) -> list[PromotionRecord]:
        """Every record, abandoned and open ones too, in the order they were announced."""
        with self._database.reading() as connection:
            return _records(connection, family)

    def champion(self, family: str) -> PromotionRecord | None:
        """The record that made today's champion; None where there was no promotion yet."""
        with self._database.reading() as connection:
            return _champion(connection, family)

    def promoted(self, family: str) -> PromotionRecord | None:
        """The record of the last promotion or rollback, whatever a hand did since; None before the first."""
        with self._database.reading() as connection:
            return _promoted(connection, family)

    def champion_at(self, family: str, when: date | datetime) -> PromotionRecord | None:
        """The record that made whoever was champion at a moment, or at the end of a day (UTC); None before the first.

        Raises:
            SelvedgeError: a moment without a time zone.
        """
        if isinstance(when, datetime):
            if when.tzinfo is None:
                raise SelvedgeError(f"{when} names no time zone; write it with one, like {when.isoformat()}+00:00.")
            moment = when
        else:
            moment = datetime.combine(when + timedelta(days=1), time(), UTC) - timedelta(microseconds=1)
        ended = [record for record in self.history(family) if record.outcome == "completed"]
        before = [record for record in ended if record.ended_at is not None and record.ended_at <= moment]
        return max(before, key=lambda record: record.number, default=None)

    def _end(
        self, record_id: str, outcome: Literal["completed", "abandoned"], detail: str, now: datetime | None
    ) -> PromotionRecord:
        with self._database.writing() as connection:
            matches = [record for record in _records(connection, None) if record.record_id == record_id]
            if not matches:
                raise SelvedgeError(f"there is no promotion record {record_id!r}; `selvedge history` lists them.")
            record = matches[0]
            if record.outcome is None:
                return _end(connection, record, outcome, detail, now or _now())
            if record.outcome != outcome:
                raise SelvedgeError(f"promotion {record_id} was {record.outcome} already; it cannot be {outcome}.")
            return record


def _refuse_swap(connection: Connection, family: str, version: str, old_champion: str | None) -> None:
    """Compare: nobody else is moving the alias, and the champion is who the mover thinks."""
    moving = [record for record in _records(connection, family) if record.outcome is None]
    if moving:
        running = moving[0]
        raise SelvedgeError(
            f"{running.who} is making version {running.version} champion of {family} (record {running.record_id}); "
            "one move at a time: look again when it is done."
        )
    champion = _champion(connection, family)
    # A hand's alias that was taken away again leaves nobody champion, where nobody was before it.
    nobody = old_champion is None and _promoted(connection, family) is None
    if champion is not None and champion.version != old_champion and not nobody:
        raise SelvedgeError(
            f"the champion of {family} is version {champion.version} since {champion.ended_at:%d %B %Y %H:%M} UTC, not "
            f"{old_champion or 'none'}; gather evidence against that one, or record a move made by hand."
        )
    if version == old_champion:
        raise SelvedgeError(f"version {version} is champion of {family} already; there is nothing to move.")


def _insert(connection: Connection, record: PromotionRecord) -> None:
    row = {column.name: getattr(record, column.name) for column in PROMOTIONS.columns}
    try:
        append(connection, PROMOTIONS, row | {"reasons": list(record.reasons)})
    except IntegrityError as error:  # a writer that does not take turns
        raise SelvedgeError(f"another promotion of {record.family} came first; look again.") from error


def _end(
    connection: Connection,
    record: PromotionRecord,
    outcome: Literal["completed", "abandoned"],
    detail: str,
    at: datetime,
) -> PromotionRecord:
    row = {"record_id": record.record_id, "outcome": outcome, "detail": detail, "at": at}
    append(connection, PROMOTION_ENDS, row)
    return record.ended(outcome, at, detail)


def _records(connection: Connection, family: str | None) -> list[PromotionRecord]:
    ends = PROMOTION_ENDS.c
    wanted = select(PROMOTIONS, ends.outcome, ends.at.label("ended_at"), ends.detail).outerjoin(PROMOTION_ENDS)
    if family is not None:
        wanted = wanted.where(PROMOTIONS.c.family == family)
    return [_record(dict(row)) for row in connection.execute(wanted.order_by(*_ORDER)).mappings()]


_ORDER = (PROMOTIONS.c.at, PROMOTIONS.c.family, PROMOTIONS.c.number)


def _record(row: dict[str, Any]) -> PromotionRecord:
    return PromotionRecord(**{**row, "reasons": tuple(row["reasons"]), "detail": row["detail"] or ""})


def _last(connection: Connection, family: str) -> PromotionRecord | None:
    return max(_records(connection, family), key=lambda record: record.number, default=None)


def _champion(connection: Connection, family: str) -> PromotionRecord | None:
    done = [record for record in _records(connection, family) if record.outcome == "completed"]
    return max(done, key=lambda record: record.number, default=None)


def _promoted(connection: Connection, family: str) -> PromotionRecord | None:
    moves = [
        record for record in _records(connection, family) if record.kind != "by_hand" and record.outcome == "completed"
    ]
    return max(moves, key=lambda record: record.number, default=None)


def _now() -> datetime:
    return datetime.now(UTC)
