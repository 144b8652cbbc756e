"""Arrivals: what lies in the inbox, what is wrong with it, and what became of every drop.

Belongs here: looking at the inbox, objections with their remedy, the state of a drop as an operator is told it. Not
here: asking for a run (inbox.py), where a drop's files are remembered (deliveries.py), what is wrong with the files
themselves (catalog/delivery.py).
"""

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg

from catalog.delivery import content_objections, fingerprint, in_inbox, is_complete, manifest_objections, no_folder
from catalog.errors import SelvedgeError
from catalog.mapping import read_mapping
from orchestration.assets.failures import SENTENCE_TAG
from orchestration.assets.partitions import DROPS, PARTITION_TAG, valid_key
from orchestration.assets.published import materialised_each
from orchestration.defs.catalog.bucket import look, remembered
from orchestration.defs.catalog.deliveries import source_of
from orchestration.runtime.settings import Settings

PRODUCTS, QUARANTINE = "catalog/products", "catalog/quarantine"
FINGERPRINT_TAG = "selvedge/drop_fingerprint"  # of a run that the inbox asked for

READ, READING, WAITING, REFUSED, FAILED = "read", "reading", "waiting", "refused", "failed"


@dataclass(frozen=True)
class Arrival:
    """One entry of the inbox: a folder that is a delivery, or what stands in the way of reading it.

    Attributes:
        name: the entry's; bytes that are no UTF-8 and control characters, which no drop's name has, as escapes.
        fingerprint: of its files; of a file, its size and time.
        objections: one sentence each, with its remedy; empty for a folder that can be read.
        complete: it holds all that its manifest names; without one only quiet says so.
        looked_at: this time; a drop in a bucket waits for its turn, and is as it was seen last.
    """

    name: str
    fingerprint: str
    objections: tuple[str, ...]
    complete: bool = False
    looked_at: bool = True


@dataclass(frozen=True)
class DropState:
    """A drop as an operator is told it.

    Attributes:
        state: read, reading, waiting, refused or failed.
        products, quarantine: rows of the two tables as last read; None where it was never read.
        sentence: why it is not read, and what to do; empty otherwise.
    """

    drop: str
    state: str
    products: int | None
    quarantine: int | None
    sentence: str


def arrivals(settings: Settings, ask: bool = True) -> list[Arrival]:
    """Every entry of the inbox but hidden ones, in order of their names.

    Args:
        ask: look again at an inbox in a bucket; False: as the sensor saw it last, without a request.

    Raises:
        ServiceUnavailable: the bucket does not answer. SelvedgeError: it refuses, or is not there.
    """
    table = table_of(settings)
    folder = settings.inbox_folder
    if folder is None:
        return _in_bucket(settings, table, ask)
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    looked_at = [_arrival(settings, entry, table) for entry in entries if not entry.name.startswith(".")]
    return [
        replace(arrival, name=_printable(arrival.name), objections=tuple(map(_printable, arrival.objections)))
        for arrival in looked_at
    ]


def _in_bucket(settings: Settings, table: str, ask: bool) -> list[Arrival]:
    inbox, listed = settings.inbox, frozenset[str]()
    if ask:
        memory, listed = look(settings.dagster_home, inbox, settings.mapping, table)
    else:
        memory = remembered(settings.dagster_home, inbox)
    drops = [
        Arrival(
            _printable(name),
            drop.fingerprint,
            tuple(
                _printable(sentence)
                for sentence in (
                    *_name_objections(name, str(inbox / name)),
                    *drop.objections,
                    *_namesake_objections(settings, name, str(inbox / name)),
                )
            ),
            drop.complete,
            looked_at=name in listed,
        )
        for name, drop in memory.drops.items()
    ]
    files = [Arrival(_printable(name), "a file", (_printable(no_folder(str(inbox / name))),)) for name in memory.files]
    return sorted([*drops, *files], key=lambda arrival: arrival.name)


def _printable(text: str) -> str:
    """As logs, databases and terminals can hold it, each name still another."""
    decoded = text.encode(errors="surrogateescape").decode(errors="backslashreplace")
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in decoded)


def _typed(path: str) -> str:
    """A path as one types it in a shell, whatever its bytes are."""
    if path.isprintable():
        return shlex.quote(path)
    plain = set(range(0x20, 0x7F)) - set(b"'\\")
    return "$'" + "".join(chr(byte) if byte in plain else f"\\x{byte:02x}" for byte in os.fsencode(path)) + "'"


def readings(instance: dg.DagsterInstance) -> dict[str, dict[str, Any]]:
    """By drop, what its newest reading recorded of its products; drops never read are left out."""
    return materialised_each(instance, PRODUCTS)


def was_read(arrival: Arrival, read: Mapping[str, Mapping[str, Any]]) -> bool:
    """Was this drop read with the very files that it has now? read: `readings`."""
    return read.get(arrival.name, {}).get("source_fingerprint") == arrival.fingerprint


def drop_states(settings: Settings, instance: dg.DagsterInstance) -> list[DropState]:
    """Every drop of the home and every entry of the inbox: drops in the order they came, then what is no drop yet."""
    waiting = {arrival.name: arrival for arrival in arrivals(settings, ask=False)}
    drops = instance.get_dynamic_partitions(DROPS.name or "")
    read, quarantined, runs = readings(instance), materialised_each(instance, QUARANTINE), _reading_runs(instance)
    states = []
    for name in (*drops, *sorted(set(waiting) - set(drops))):
        arrival = waiting.get(name)
        run = _newest_reading(runs.get(name, ()), arrival)
        state, sentence = _progress(arrival, name in read, arrival is None or was_read(arrival, read), run)
        states.append(DropState(name, state, _rows(read.get(name)), _rows(quarantined.get(name)), sentence))
    return states


def table_of(settings: Settings) -> str:
    """The table that a drop without styles.csv is to hold, by the mapping; "" where there is none.

    A mapping that cannot be read objects to no drop: the run that reads one says what is wrong with it.
    """
    if settings.mapping is None:
        return ""
    try:
        return read_mapping(settings.mapping).table
    except SelvedgeError:
        return "*"


def _arrival(settings: Settings, entry: Path, table: str) -> Arrival:
    try:
        if not entry.is_dir():
            status = entry.stat()
            return Arrival(entry.name, f"{status.st_size} {status.st_mtime:.3f}", (no_folder(in_inbox(entry)),))
        objections = (
            *_name_objections(entry.name, str(entry)),
            *content_objections(entry, table),
            *manifest_objections(entry),
            *_namesake_objections(settings, entry.name, str(entry)),
        )
        return Arrival(entry.name, fingerprint(str(entry), settings.mapping), objections, is_complete(entry))
    except OSError as error:
        what = f"{in_inbox(entry)} cannot be read ({error.strerror}); give this user the right to, or remove it."
        return Arrival(entry.name, f"unreadable {error.errno}", (what,))


def _name_objections(name: str, place: str) -> tuple[str, ...]:
    """Args: place: the folder, or its address in a bucket."""
    try:
        valid_key(name)
    except SelvedgeError as error:
        better = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-_")[:100] or "drop-1"
        move = "aws s3 mv --recursive" if "://" in place else "mv"
        remedy = f"{move} {_typed(place)} {_typed(f'{place[: -len(name)]}{better}')}"
        return (f"{str(error).rstrip('.')}; `{remedy}`.",)
    return ()


def _namesake_objections(settings: Settings, name: str, place: str) -> tuple[str, ...]:
    """A drop of the same name that lies elsewhere would be overwritten without a word."""
    if _name_objections(name, place):
        return ()
    source = source_of(settings, name)
    if source is None or source == place:
        return ()
    if "://" not in source and (not Path(source).exists() or ("://" not in place and _same(source, place))):
        return ()
    what = place if "://" in place else f"the folder {in_inbox(Path(place))}"
    return (f"drop {name} was read from {source}; give {what} another name.",)


def _same(one: str, other: str) -> bool:
    return Path(one).resolve() == Path(other).resolve()


def _progress(arrival: Arrival | None, read: bool, unchanged: bool, run: dg.DagsterRun | None) -> tuple[str, str]:
    """State and sentence of a drop.

    Args:
        read: it was, at some time. unchanged: with the files that it has now. run: the newest that read these, or
            tried to.
    """
    if arrival is not None and arrival.objections:
        return REFUSED, " ".join(arrival.objections)
    if run is not None:
        if not run.is_finished:
            return READING, ""
        if run.is_failure:
            why = run.tags.get(SENTENCE_TAG, f"run {run.run_id[:8]} in Dagster says why")
            return FAILED, f"{why.rstrip('.')}. Mend its files, and it is read again."
    if read and unchanged:
        return READ, ""
    again = "it changed; " if read else ""
    return WAITING, f"{again}while `selvedge up` runs, it is read once nothing in it changes for half a minute."


def _reading_runs(instance: dg.DagsterInstance) -> dict[str, list[dg.DagsterRun]]:
    """By drop, the runs that read it, or tried to, the newest first."""
    key, runs = dg.AssetKey(PRODUCTS.split("/")), dict[str, list[dg.DagsterRun]]()
    for run in instance.get_runs():
        if key in (run.asset_selection or ()) and PARTITION_TAG in run.tags:
            runs.setdefault(run.tags[PARTITION_TAG], []).append(run)
    return runs


def _newest_reading(runs: Sequence[dg.DagsterRun], arrival: Arrival | None) -> dg.DagsterRun | None:
    """The newest of them with the files that the drop has now."""
    return next(
        (run for run in runs if arrival is None or run.tags.get(FINGERPRINT_TAG) in (None, arrival.fingerprint)), None
    )


def _rows(metadata: dict[str, object] | None) -> int | None:
    return None if metadata is None else int(str(metadata["rows"]))
