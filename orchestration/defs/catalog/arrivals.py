"""Arrivals: what lies in the inbox, what is wrong with it, and what became of every drop.

Belongs here: looking at the inbox, objections with their remedy, the state of a drop as an operator is told it. Not
here: asking for a run (inbox.py), where a drop's files are remembered (deliveries.py), what is wrong with the files
themselves (catalog/delivery.py).
"""

import os
import re
import shlex
from dataclasses import dataclass, replace
from pathlib import Path

import dagster as dg

from catalog.delivery import content_objections, fingerprint, in_inbox, is_complete, manifest_objections, no_folder
from catalog.errors import SelvedgeError
from catalog.mapping import read_mapping
from orchestration.assets.failures import SENTENCE_TAG
from orchestration.assets.partitions import DROPS, PARTITION_TAG, valid_key
from orchestration.assets.published import materialised
from orchestration.defs.catalog.deliveries import source_of
from orchestration.runtime.settings import Settings

PRODUCTS, QUARANTINE = "catalog/products", "catalog/quarantine"
FINGERPRINT_TAG = "selvedge/drop_fingerprint"  # of a run that the inbox asked for
RUNS_LOOKED_AT = 20  # of one drop, newest first

READ, READING, WAITING, REFUSED, FAILED = "read", "reading", "waiting", "refused", "failed"


@dataclass(frozen=True)
class Arrival:
    """One entry of the inbox: a folder that is a delivery, or what stands in the way of reading it.

    Attributes:
        name: the entry's; bytes that are no UTF-8 and control characters, which no drop's name has, as escapes.
        fingerprint: of its files; of a file, its size and time.
        objections: one sentence each, with its remedy; empty for a folder that can be read.
        complete: it holds all that its manifest names; without one only quiet says so.
    """

    name: str
    fingerprint: str
    objections: tuple[str, ...]
    complete: bool = False


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


def arrivals(settings: Settings) -> list[Arrival]:
    """Every entry of the inbox but hidden ones, in order of their names."""
    entries = sorted(settings.inbox.iterdir()) if settings.inbox.is_dir() else []
    table = table_of(settings)
    looked_at = [_arrival(settings, entry, table) for entry in entries if not entry.name.startswith(".")]
    return [
        replace(arrival, name=_printable(arrival.name), objections=tuple(map(_printable, arrival.objections)))
        for arrival in looked_at
    ]


def _printable(text: str) -> str:
    """As logs, databases and terminals can hold it, each name still another."""
    decoded = text.encode(errors="surrogateescape").decode(errors="backslashreplace")
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in decoded)


def _typed(path: Path) -> str:
    """A path as one types it in a shell, whatever its bytes are."""
    if str(path).isprintable():
        return shlex.quote(str(path))
    plain = set(range(0x20, 0x7F)) - set(b"'\\")
    return "$'" + "".join(chr(byte) if byte in plain else f"\\x{byte:02x}" for byte in os.fsencode(path)) + "'"


def was_read(instance: dg.DagsterInstance, arrival: Arrival) -> bool:
    """Was this drop read with the very files that it has now?"""
    return (materialised(instance, PRODUCTS, arrival.name) or {}).get("source_fingerprint") == arrival.fingerprint


def drop_states(settings: Settings, instance: dg.DagsterInstance) -> list[DropState]:
    """Every drop of the home and every entry of the inbox: drops in the order they came, then what is no drop yet."""
    waiting = {arrival.name: arrival for arrival in arrivals(settings)}
    drops = instance.get_dynamic_partitions(DROPS.name or "")
    return [_state(instance, name, waiting.get(name)) for name in (*drops, *sorted(set(waiting) - set(drops)))]


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
            return Arrival(entry.name, f"{status.st_size} {status.st_mtime:.3f}", (no_folder(entry),))
        objections = (
            *_name_objections(entry),
            *content_objections(entry, table),
            *manifest_objections(entry),
            *_namesake_objections(settings, entry),
        )
        return Arrival(entry.name, fingerprint(str(entry), settings.mapping), objections, is_complete(entry))
    except OSError as error:
        what = f"{in_inbox(entry)} cannot be read ({error.strerror}); give this user the right to, or remove it."
        return Arrival(entry.name, f"unreadable {error.errno}", (what,))


def _name_objections(folder: Path) -> tuple[str, ...]:
    try:
        valid_key(folder.name)
    except SelvedgeError as error:
        better = re.sub(r"[^A-Za-z0-9_-]+", "-", folder.name).strip("-_")[:100] or "drop-1"
        remedy = f"mv {_typed(folder)} {_typed(folder.with_name(better))}"
        return (f"{str(error).rstrip('.')}; `{remedy}`.",)
    return ()


def _namesake_objections(settings: Settings, folder: Path) -> tuple[str, ...]:
    """A drop of the same name that lies elsewhere would be overwritten without a word."""
    if _name_objections(folder):
        return ()
    source = source_of(settings, folder.name)
    if source is None or ("://" not in source and (Path(source) == folder.resolve() or not Path(source).exists())):
        return ()
    return (f"drop {folder.name} was read from {source}; give the folder {in_inbox(folder)} another name.",)


def _state(instance: dg.DagsterInstance, name: str, arrival: Arrival | None) -> DropState:
    products, quarantine = materialised(instance, PRODUCTS, name), materialised(instance, QUARANTINE, name)
    state, sentence = _progress(instance, name, arrival, bool(products))
    return DropState(name, state, _rows(products), _rows(quarantine), sentence)


def _progress(instance: dg.DagsterInstance, name: str, arrival: Arrival | None, read: bool) -> tuple[str, str]:
    if arrival is not None and arrival.objections:
        return REFUSED, " ".join(arrival.objections)
    unchanged = read if arrival is None else was_read(instance, arrival)
    run = _newest_reading(instance, name, arrival)
    if run is not None:
        if not run.is_finished:
            return READING, ""
        if run.is_failure:
            why = run.tags.get(SENTENCE_TAG, f"run {run.run_id[:8]} in Dagster says why")
            return FAILED, f"{why.rstrip('.')}. Mend its files, and it is read again."
    if unchanged:
        return READ, ""
    again = "it changed; " if read else ""
    return WAITING, f"{again}while `selvedge up` runs, it is read once nothing in it changes for half a minute."


def _newest_reading(instance: dg.DagsterInstance, drop: str, arrival: Arrival | None) -> dg.DagsterRun | None:
    """The newest run that read the drop, or tried to, with the files that it has now."""
    key = dg.AssetKey(PRODUCTS.split("/"))
    runs = instance.get_runs(dg.RunsFilter(tags={PARTITION_TAG: drop}), limit=RUNS_LOOKED_AT)
    for run in runs:
        of_these = arrival is None or run.tags.get(FINGERPRINT_TAG) in (None, arrival.fingerprint)
        if of_these and key in (run.asset_selection or ()):
            return run
    return None


def _rows(metadata: dict[str, object] | None) -> int | None:
    return None if metadata is None else int(str(metadata["rows"]))
