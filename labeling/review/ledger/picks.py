"""The ledger of picks: rounds of picks, what each task shows, and every revision of every pick.

Belongs here: writing each of them once and reading them back as plain data. Not here: what a pick is worth
(labeling/review/picks/pulling.py).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select

from catalog.errors import SelvedgeError
from catalog.files import json_sha256
from labeling.review.ledger.chain import append
from labeling.review.ledger.database import Database
from labeling.review.ledger.tables import AD_PICKS, PICK_ROUNDS, PICK_TASKS


@dataclass(frozen=True)
class ShownPicture:
    """sha256: of the picture file. uri: where it lies, as it was when the round was opened."""

    sha256: str
    uri: str


@dataclass(frozen=True)
class PickTask:
    """One request. shown: as its pictures stand on the page."""

    task_key: str
    request: str
    product_id: int | None
    shown: tuple[ShownPicture, ...]


@dataclass(frozen=True)
class PickRound:
    """The requests of a drop, each shown once."""

    round_id: str
    drop: str
    key: bytes = field(repr=False)
    opened_at: datetime


@dataclass(frozen=True)
class PulledPick:
    """A pick as the review server gave it, nothing interpreted; see `PulledAnnotation`. answer: 1, 2, 3 or none."""

    annotation_id: int
    task_key: str
    rater: str
    updated_by: str | None
    answer: str
    comment: str
    seconds: float | None
    created_at: datetime
    updated_at: datetime
    cancelled: bool = False

    @property
    def content_sha256(self) -> str:
        moments = {name: getattr(self, name).isoformat() for name in ("created_at", "updated_at")}
        return json_sha256({**asdict(self), **moments})


@dataclass(frozen=True)
class Judgement:
    """What a pull makes of a pick. picked_sha256: None of none of these. rework: stages and sentence of its comment."""

    picked_sha256: str | None
    rework: Mapping[str, Any] | None
    simulated: bool
    void: str | None


@dataclass(frozen=True)
class AdPick:
    """One revision of a pick, as it was first pulled."""

    round_id: str
    pick: PulledPick
    revision: int
    pulled_at: datetime
    judgement: Judgement


class PickLedger:
    """Picks of all drops; made by `Ledger`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open_round(self, round_id: str, drop: str, key: bytes, tasks: Sequence[PickTask]) -> tuple[PickRound, bool]:
        """Register a round with its tasks; one that is registered is given back as it was. And whether it was there.

        The key of a round that is there stands, so `tasks` must be made with it: see `find_round`.
        """
        with self._database.writing() as connection:
            registered = _find(connection, round_id)
            if registered is not None:
                return registered, True
            row = {"round_id": round_id, "drop": drop, "blinding_key": key, "opened_at": datetime.now(UTC)}
            append(connection, PICK_ROUNDS, row)
            append(connection, PICK_TASKS, [{"round_id": round_id, **asdict(task)} for task in tasks])
            return _round(connection, round_id), False

    def find_round(self, round_id: str) -> PickRound | None:
        with self._database.reading() as connection:
            return _find(connection, round_id)

    def round(self, round_id: str) -> PickRound:
        """Raises: SelvedgeError: there is no such round."""
        with self._database.reading() as connection:
            return _round(connection, round_id)

    def rounds(self) -> list[PickRound]:
        """Every round, in the order of opening."""
        wanted = select(PICK_ROUNDS.c.round_id).order_by(PICK_ROUNDS.c.opened_at, PICK_ROUNDS.c.round_id)
        with self._database.reading() as connection:
            return [_round(connection, round_id) for round_id in connection.scalars(wanted).all()]

    def tasks(self, round_id: str) -> dict[str, PickTask]:
        """By task key, in the order of upload."""
        wanted = select(PICK_TASKS).where(PICK_TASKS.c.round_id == round_id).order_by(PICK_TASKS.c.task_key)
        with self._database.reading() as connection:
            return {
                row.task_key: PickTask(
                    row.task_key, row.request, row.product_id, tuple(ShownPicture(**picture) for picture in row.shown)
                )
                for row in connection.execute(wanted)
            }

    def store(
        self, round_id: str, picks: Iterable[PulledPick], judge: Callable[[PulledPick], Judgement], at: datetime
    ) -> list[AdPick]:
        """Keep every revision that was not seen before; the same again adds nothing. Returns what was added."""
        with self._database.writing() as connection:
            _round(connection, round_id)
            seen: dict[int, set[str]] = {}
            columns = select(AD_PICKS.c.annotation_id, AD_PICKS.c.content_sha256)
            for number, sha256 in connection.execute(columns.where(AD_PICKS.c.round_id == round_id)):
                seen.setdefault(number, set()).add(sha256)
            new = []
            for pick in picks:
                revisions = seen.setdefault(pick.annotation_id, set())
                if pick.content_sha256 not in revisions:
                    revisions.add(pick.content_sha256)
                    new.append(AdPick(round_id, pick, len(revisions), at, judge(pick)))
            append(connection, AD_PICKS, [_row(pick) for pick in new])
        return new

    def picks(self, round_id: str | None = None) -> list[AdPick]:
        """Every revision of every pick, in the order of annotation and revision."""
        wanted = select(AD_PICKS).order_by(AD_PICKS.c.round_id, AD_PICKS.c.annotation_id, AD_PICKS.c.revision)
        if round_id is not None:
            wanted = wanted.where(AD_PICKS.c.round_id == round_id)
        with self._database.reading() as connection:
            return [_pick(row) for row in connection.execute(wanted).mappings()]


def _find(connection: Connection, round_id: str) -> PickRound | None:
    row = connection.execute(select(PICK_ROUNDS).where(PICK_ROUNDS.c.round_id == round_id)).one_or_none()
    return None if row is None else PickRound(row.round_id, row.drop, bytes(row.blinding_key), row.opened_at)


def _round(connection: Connection, round_id: str) -> PickRound:
    registered = _find(connection, round_id)
    if registered is None:
        raise SelvedgeError(f"there is no round of picks {round_id!r}; `selvedge review picks status` lists them.")
    return registered


def _row(pick: AdPick) -> dict[str, Any]:
    content = asdict(pick.pick)
    # What a server answers may be anything.
    widths = (("task_key", 128), ("answer", 16), ("rater", 254))
    cut = {name: content[name].replace("\0", "")[:width] for name, width in widths}
    comment = content["comment"].replace("\0", "")
    judged = {
        **asdict(pick.judgement),
        "rework": None if pick.judgement.rework is None else dict(pick.judgement.rework),
    }
    stamps = {"revision": pick.revision, "pulled_at": pick.pulled_at, "content_sha256": pick.pick.content_sha256}
    return {"round_id": pick.round_id, **content, **cut, "comment": comment, **judged, **stamps}


def _pick(row: Mapping[Any, Any]) -> AdPick:
    pulled = PulledPick(**{name: row[name] for name in PulledPick.__dataclass_fields__})
    judgement = Judgement(**{name: row[name] for name in Judgement.__dataclass_fields__})
    return AdPick(row["round_id"], pulled, row["revision"], row["pulled_at"], judgement)
