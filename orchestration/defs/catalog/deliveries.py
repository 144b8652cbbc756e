"""Drops: where each delivery's files are, remembered from the first time somebody says it.

Belongs here: the small record beside the tables. Not here: the inbox (arrivals.py), the files themselves
(catalog/delivery.py, catalog/reading.py).
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import dagster as dg

from catalog.errors import SelvedgeError
from orchestration.assets.partitions import DROPS, valid_key
from orchestration.runtime.settings import Settings


@dataclass(frozen=True)
class Delivery:
    """One drop's source: a folder or an object-store address in the catalogue layout."""

    drop: str
    source: str


def remember_drop(settings: Settings, drop: str, source: str | None) -> Delivery:
    """The delivery of a drop; `source` is recorded when given, else what was recorded, else the inbox, is used.

    Raises:
        SelvedgeError: the key is not usable, or nobody ever said where the drop is.
    """
    from catalog.tables import publish_bytes

    record = settings.tables() / "drops" / f"{valid_key(drop)}.json"
    if source is None and record.exists():
        return _here(settings, Delivery(**json.loads(record.read_text())))
    if source is None and (settings.inbox / drop).is_dir():
        source = str(settings.inbox / drop)
    if source is None:
        raise SelvedgeError(
            f"drop {drop} has no source; materialise catalog/products with the config `source: FOLDER`, "
            f"or put its files into {settings.inbox / drop}."
        )
    delivery = Delivery(drop, _recorded(settings, source))
    publish_bytes(json.dumps(asdict(delivery), indent=1).encode(), record)
    return _here(settings, delivery)


def add_drop(instance: dg.DagsterInstance, settings: Settings, drop: str, source: str) -> None:
    """Make a drop known: its source and its partition.

    Raises:
        SelvedgeError: the key is not usable.
    """
    remember_drop(settings, drop, source)
    instance.add_dynamic_partitions(DROPS.name or "", [drop])


def source_of(settings: Settings, drop: str) -> str | None:
    """Where a drop's files were last said to be; None where nobody said."""
    record = settings.tables() / "drops" / f"{valid_key(drop)}.json"
    return _here(settings, Delivery(**json.loads(record.read_text()))).source if record.exists() else None


def _recorded(settings: Settings, source: str) -> str:
    """As it is written down: what lies in the home is named from there, so that the home may be moved."""
    if "://" in source:
        return source
    # A run may execute in a process with another working directory.
    path = Path(source).expanduser().resolve()
    return str(path.relative_to(settings.home)) if path.is_relative_to(settings.home) else str(path)


def _here(settings: Settings, delivery: Delivery) -> Delivery:
    """A record's source as it is to be found now.

    An older Selvedge wrote the full path also of what lies in the home; it may have been moved since.
    """
    if "://" in delivery.source:
        return delivery
    path = Path(delivery.source)
    if path.is_absolute() and _of_a_home(path):
        moved = settings.home.joinpath(*path.parts[-2:])
        path = moved if moved.is_dir() else path
    return Delivery(delivery.drop, str(settings.home / path))


def _of_a_home(path: Path) -> bool:
    """Did it lie in a home, this one or the one that this was copied from?"""
    return path.parent.name in ("drawn", "inbox") and (not path.exists() or (path.parents[1] / "dagster").is_dir())
