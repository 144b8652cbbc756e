"""An inbox in a bucket: what lies under its prefix, asked for within a bound, and remembered between two looks.

Belongs here: listing, the bound, the memory. Not here: an inbox that is a folder and what is said of a name
(arrivals.py), asking for runs (inbox.py).

A folder can be looked through every half minute; a bucket is paid by the request and answers 1,000 objects at a time. A
look has `REQUESTS` of them. It asks for the names of the drops, then for the objects of those that it has not yet seen
twice alike, then for as many of the others, in turn, as it can: so a new drop is as fast as in a folder, and one that
is changed later is noticed when its turn comes. A drop is listed whole or not at all, and requests beyond the bound are
taken off the next looks.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from upath import UPath

from catalog.delivery import MANIFEST, complete_by, files_there, fingerprint_of, objections_to
from catalog.files import publish_text
from catalog.source import Source, name_of

REQUESTS = 10  # lists of a look, each of up to 1,000 objects; at one look in 30 s about 29,000 a day
PAGE = 1000
ALIKE = 2  # looks that saw the same objects, after which a drop waits for its turn
MEMORY = "inbox.json"
# Seconds and tries of one request: Dagster gives a sensor's look five minutes.
PATIENCE = {"connect_timeout": 5, "read_timeout": 20, "retries": {"mode": "standard", "max_attempts": 2}}


@dataclass(frozen=True)
class Drop:
    """What was seen of a drop when it was listed last.

    Attributes:
        alike: looks in a row that saw these objects. requests: what listing it took.
    """

    fingerprint: str
    objections: tuple[str, ...]
    complete: bool
    alike: int = 1
    requests: int = 1


@dataclass(frozen=True)
class Memory:
    """What is remembered of an inbox in a bucket.

    Attributes:
        inbox: its address; of another one nothing is remembered.
        drops: in the order in which they were listed, the one that waits longest first.
        files: names of what lies there that is no drop.
        left: requests that the next look has besides its own; below 0 where the last took more.
    """

    inbox: str = ""
    drops: Mapping[str, Drop] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    left: int = 0


def remembered(folder: Path, inbox: UPath) -> Memory:
    """What the last look saw. No request is made. A memory that is not there, or damaged, is none.

    Args:
        folder: where it is kept.
    """
    try:
        content = json.loads((folder / MEMORY).read_text())
        drops = {
            name: Drop(**{**drop, "objections": tuple(drop["objections"])}) for name, drop in content["drops"].items()
        }
        memory = Memory(content["inbox"], drops, tuple(content["files"]), content["left"])
    except (OSError, ValueError, KeyError, TypeError):
        return Memory(str(inbox))
    return memory if memory.inbox == str(inbox) else Memory(str(inbox))


def look(folder: Path, inbox: UPath, mapping: Path | None = None, table: str = "") -> tuple[Memory, frozenset[str]]:
    """List what the bound allows; what is remembered then, and the drops that were listed.

    Args:
        folder: where the memory is kept.
        mapping, table: of drops without styles.csv, as for a folder.

    Raises:
        ServiceUnavailable: the bucket does not answer. SelvedgeError: it refuses, or is not there.
    """
    before = remembered(folder, inbox)
    if inbox.protocol == "s3":
        inbox = UPath(str(inbox), config_kwargs=PATIENCE)
    names, files = _top(inbox)
    left = min(before.left, 0) + REQUESTS - _requests(len(names) + len(files))
    drops = {name: drop for name, drop in before.drops.items() if name in names}
    listed: list[str] = []
    for name in _turns(names, drops):
        if left <= 0:
            break
        drop = _seen(inbox / name, mapping, table)
        last = drops.pop(name, None)
        if last is not None and last.fingerprint == drop.fingerprint:
            drop = replace(drop, alike=last.alike + 1)
        drops[name] = drop  # the last in the order
        left -= drop.requests
        listed.append(name)
    memory = Memory(str(inbox), drops, files, left)
    publish_text(json.dumps(asdict(memory), indent=1) + "\n", folder / MEMORY)
    return memory, frozenset(listed)


def _turns(names: list[str], drops: Mapping[str, Drop]) -> list[str]:
    """Drops that are new or still change, then the others, the one that was listed longest ago first."""
    waiting = [name for name in names if name not in drops]
    waiting += [name for name, drop in drops.items() if drop.alike < ALIKE]
    return [*waiting, *(name for name, drop in drops.items() if drop.alike >= ALIKE)]


def _top(inbox: UPath) -> tuple[list[str], tuple[str, ...]]:
    """Names of the drops, and of other files, but for hidden ones."""
    place = Source(inbox)
    listing = place.listing("")
    if not listing.files and not listing.folders:
        place.require_bucket()
    names = sorted({name for name in listing.folders if name and not name.startswith(".")})
    files = sorted(name for file in listing.files if (name := name_of(file)) and not name.startswith("."))
    return names, tuple(files)


def _seen(place: UPath, mapping: Path | None, table: str) -> Drop:
    files = files_there(place)
    manifest = Source(place).read(MANIFEST) if MANIFEST in files else None
    return Drop(
        fingerprint_of(files, mapping),
        objections_to(str(place), files, manifest, table),
        complete_by(files, manifest),
        requests=_requests(len(files)),
    )


def _requests(objects: int) -> int:
    return max(1, -(-objects // PAGE))
