"""Pulls: every snapshot of the review server's annotations, and every revision that was ever in one.

Belongs here: storing and replaying them, inside a transaction of the ledger's. Not here: what is wrong with a ballot
(ballots.py).

A pull keeps what changed since the one before: whole snapshots would grow with the square of the ballots.
"""

import hashlib
import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from catalog.errors import SelvedgeError
from labeling.review.ledger.chain import append
from labeling.review.ledger.records import Ballot, Pull, PulledAnnotation, StoredPull
from labeling.review.ledger.tables import BALLOTS, PULLS


def store_pull(
    connection: Connection,
    round_id: str,
    annotations: Iterable[PulledAnnotation],
    find_fault: Callable[[PulledAnnotation], str | None],
    is_simulated: Callable[[str], bool],
    at: datetime,
) -> StoredPull:
    """Keep a snapshot and every revision in it that was not seen before.

    Raises:
        SelvedgeError: one annotation is in the snapshot twice.
    """
    pulled: dict[int, PulledAnnotation] = {}
    for annotation in annotations:
        if pulled.setdefault(annotation.annotation_id, annotation) != annotation:
            raise SelvedgeError(
                f"annotation {annotation.annotation_id} was pulled twice with two contents; pull again."
            )
    hashes = {number: annotation.content_sha256 for number, annotation in pulled.items()}
    sha256 = _snapshot_sha256(hashes.values())
    earlier, held = replay(connection, round_id)
    vanished = tuple(sorted(held.keys() - pulled.keys()))
    if earlier and earlier[-1].sha256 == sha256:
        return StoredPull(earlier[-1], (), vanished)
    pull = Pull(len(earlier) + 1, at, sha256, len(pulled))
    fresh = [annotation for number, annotation in sorted(pulled.items()) if held.get(number) != annotation]
    change = json.dumps({"new": [annotation.to_dict() for annotation in fresh], "gone": vanished})
    row = {"round_id": round_id, **pull.__dict__, "change": zlib.compress(change.encode())}
    append(connection, PULLS, row)
    stored = _stored_hashes(connection, round_id)
    new = []
    for annotation in fresh:
        seen = stored.get(annotation.annotation_id, set())
        if hashes[annotation.annotation_id] not in seen:
            new.append(
                Ballot(annotation, len(seen) + 1, pull.number, is_simulated(annotation.rater), find_fault(annotation))
            )
    if new:
        append(connection, BALLOTS, [_ballot_row(round_id, ballot) for ballot in new])
    return StoredPull(pull, tuple(new), vanished)


def snapshot(connection: Connection, round_id: str, number: int) -> list[PulledAnnotation]:
    """Everything that a pull held, proved by its hash.

    Raises:
        SelvedgeError: there is no such pull, or what is stored is not what was pulled.
    """
    pulls, held = replay(connection, round_id, number)
    if not 1 <= number <= len(pulls):
        raise SelvedgeError(f"round {round_id} has no pull {number}; ask for one of those there are.")
    if _snapshot_sha256(annotation.content_sha256 for annotation in held.values()) != pulls[-1].sha256:
        raise SelvedgeError(f"pull {number} of round {round_id} is not what was pulled; restore the ledger.")
    return [held[key] for key in sorted(held)]


def replay(
    connection: Connection, round_id: str, until: int | None = None
) -> tuple[list[Pull], dict[int, PulledAnnotation]]:
    """The pulls up to a number, and what the last of them held by annotation id."""
    rows = connection.execute(select(PULLS).where(PULLS.c.round_id == round_id).order_by(PULLS.c.number))
    pulls: list[Pull] = []
    held: dict[int, PulledAnnotation] = {}
    for row in rows:
        if until is not None and row.number > until:
            break
        change = json.loads(zlib.decompress(row.change))
        pulls.append(Pull(row.number, row.at, row.sha256, row.annotations))
        held |= {entry["annotation_id"]: PulledAnnotation.from_dict(entry) for entry in change["new"]}
        for number in change["gone"]:
            held.pop(number, None)
    return pulls, held


def pulled_ballots(connection: Connection, round_id: str) -> list[tuple[Ballot, PulledAnnotation]]:
    """The ballots that the pulls give, as `ballots` gives those that are stored, each with what was pulled, uncut.

    Whether a ballot is void or simulated is not judged.

    Raises:
        SelvedgeError: a stored pull is not what was pulled.
    """
    hashes: dict[int, str] = {}
    seen: dict[int, set[str]] = {}
    given = []
    rows = connection.execute(select(PULLS).where(PULLS.c.round_id == round_id).order_by(PULLS.c.number))
    for number, row in enumerate(rows, 1):
        change = json.loads(zlib.decompress(row.change))
        for gone in change["gone"]:
            hashes.pop(gone, None)
        for entry in change["new"]:
            annotation = PulledAnnotation.from_dict(entry)
            sha256, revisions = annotation.content_sha256, seen.setdefault(annotation.annotation_id, set())
            hashes[annotation.annotation_id] = sha256
            if sha256 not in revisions:
                revisions.add(sha256)
                ballot = Ballot(annotation, len(revisions), row.number, simulated=False, void=None)
                given.append((_ballot_as_stored(round_id, ballot), annotation))
        if (row.number, row.annotations, row.sha256) != (number, len(hashes), _snapshot_sha256(hashes.values())):
            raise SelvedgeError(f"pull {row.number} of round {round_id} is not what was pulled; restore the ledger.")
    return sorted(given, key=lambda entry: (entry[1].annotation_id, entry[0].revision))


def ballots(connection: Connection, round_id: str) -> list[Ballot]:
    """Every revision of every annotation, in the order of annotation and revision."""
    wanted = select(BALLOTS).where(BALLOTS.c.round_id == round_id)
    rows = connection.execute(wanted.order_by(BALLOTS.c.annotation_id, BALLOTS.c.revision))
    return [_ballot(row) for row in rows.mappings()]  # type: ignore[arg-type]  # keys are columns' names


def _stored_hashes(connection: Connection, round_id: str) -> dict[int, set[str]]:
    hashes: dict[int, set[str]] = {}
    columns = select(BALLOTS.c.annotation_id, BALLOTS.c.content_sha256)
    for number, sha256 in connection.execute(columns.where(BALLOTS.c.round_id == round_id)):
        hashes.setdefault(number, set()).add(sha256)
    return hashes


def _snapshot_sha256(hashes: Iterable[str]) -> str:
    return hashlib.sha256("".join(sorted(hashes)).encode()).hexdigest()


def _ballot_row(round_id: str, ballot: Ballot) -> dict[str, Any]:
    annotation = ballot.annotation
    content = {**annotation.__dict__, "reasons": list(annotation.reasons), "content_sha256": annotation.content_sha256}
    # What a server answers may be anything; the snapshot holds it whole.
    widths = (("task_key", 128), ("side", 16), ("rater", 254))
    cut = {name: content[name].replace("\0", "")[:width] for name, width in widths}
    stamps = {name: getattr(ballot, name) for name in ("revision", "pull", "simulated", "void")}
    return {"round_id": round_id, **content, **cut, **stamps}


def _ballot_as_stored(round_id: str, ballot: Ballot) -> Ballot:
    """A ballot as the database gives it back: cut to the columns, and without a time that is no number."""
    row = _ballot_row(round_id, ballot)
    seconds = row["seconds"]
    return _ballot({**row, "seconds": None if seconds is None or seconds != seconds else float(seconds)})


def _ballot(row: Mapping[str, Any]) -> Ballot:
    values = dict(row)
    del values["round_id"], values["content_sha256"]
    stamps = {name: values.pop(name) for name in ("revision", "pull", "simulated", "void")}
    return Ballot(PulledAnnotation(**{**values, "reasons": tuple(values["reasons"])}), **stamps)
