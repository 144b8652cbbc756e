"""Drops: where each delivery's files are, remembered from the first time somebody says it.

Belongs here: the small record beside the tables, and the inbox folder. Not here: reading the files
(catalog/reading.py).
"""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import dagster as dg
from upath import UPath

from catalog.errors import SelvedgeError
from orchestration.assets.partitions import DROPS, valid_key
from orchestration.runtime.settings import Settings

# A folder that is still being copied into is left alone for this long after its last change.
SETTLE_SECONDS = 20.0


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
        return Delivery(**json.loads(record.read_text()))
    if source is None and (inbox(settings) / drop).is_dir():
        source = str(inbox(settings) / drop)
    if source is None:
        raise SelvedgeError(
            f"drop {drop} has no source; materialise catalog/products with the config `source: FOLDER`, "
            f"or put its files into {inbox(settings) / drop}."
        )
    # A run may execute in a process with another working directory.
    delivery = Delivery(drop, source if "://" in source else str(Path(source).expanduser().resolve()))
    publish_bytes(json.dumps(asdict(delivery), indent=1).encode(), record)
    return delivery


def add_drop(instance: dg.DagsterInstance, settings: Settings, drop: str, source: str) -> None:
    """Make a drop known: its source and its partition.

    Raises:
        SelvedgeError: the key is not usable.
    """
    remember_drop(settings, drop, source)
    instance.add_dynamic_partitions(DROPS.name or "", [drop])


def inbox(settings: Settings) -> Path:
    """The folder whose subfolders become drops by themselves."""
    return settings.home / "inbox"


def arrived(settings: Settings) -> list[tuple[str, str]]:
    """Folders of the inbox that hold a whole delivery, with what is wrong with their name ("" when nothing is)."""
    arrivals = []
    folders = sorted(inbox(settings).iterdir()) if inbox(settings).is_dir() else []
    for folder in folders:
        if not (folder / "styles.csv").is_file() or not _settled(folder):
            continue
        try:
            arrivals.append((valid_key(folder.name), ""))
        except SelvedgeError as error:
            arrivals.append((folder.name, str(error)))
    return arrivals


def fingerprint(source: str) -> str:
    """Changes when a file of the delivery is added, removed or written: names, sizes and times, not contents."""
    import hashlib

    digest = hashlib.sha256()
    root = UPath(source)
    for path in sorted(root.rglob("*"), key=str):
        if path.is_file():
            status = path.stat()
            digest.update(f"{path.relative_to(root)} {status.st_size} {status.st_mtime:.3f}\n".encode())
    return digest.hexdigest()


def _settled(folder: Path) -> bool:
    """Has nothing been added for a while? Asked of the change times: a copy may carry old modification times along."""
    parts = (folder, folder / "styles.csv", folder / "images", folder / "styles")
    newest = max(path.stat().st_ctime for path in parts if path.exists())
    return time.time() - newest > SETTLE_SECONDS
