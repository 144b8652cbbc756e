"""A delivery before it is read: what its files are by now, and what stands in the way of reading them.

Belongs here: the fingerprint of a delivery's files, its manifest, objections to a folder, each with its remedy. Not
here: reading (reading.py), where deliveries arrive and what became of them (orchestration/defs/catalog/).
"""

import contextlib
import hashlib
import json
import os
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from upath import UPath

from catalog.stores import asked

TABLE = "styles.csv"
MANIFEST = "manifest.json"  # of a delivery that says what it holds: {"files": {name: bytes}}
NESTED_DEPTH = 3  # archives put one folder around what they hold, some two


def fingerprint(source: str, mapping: Path | None = None) -> str:
    """Changes when a file of the delivery is added, removed or written: names, sizes and times, not contents.

    A file that goes while this looks is left out: the next look differs. A delivery in another layout is what its
    mapping makes of it, so it changes with the mapping's content, too.
    """
    digest, mapped = hashlib.sha256(), mapping is not None
    for name, status in _files_there(source) if "://" in source else _files_here(Path(source)):
        digest.update(f"{name} {status.st_size} {status.st_mtime:.3f}\n".encode(errors="surrogateescape"))
        mapped = mapped and name != TABLE
    if mapping is not None and mapped:
        with contextlib.suppress(OSError):  # one that cannot be read is told by the run that reads the drop
            digest.update(mapping.read_bytes())
    return digest.hexdigest()


def _files_here(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Files of a folder by their relative names, in order; asked of the system at once, as a sensor asks often."""
    names = []
    for folder, _, files in os.walk(root):
        names += [os.path.relpath(os.path.join(folder, file), root) for file in files]  # noqa: PTH118
    for name in sorted(names):
        with contextlib.suppress(OSError):  # gone meanwhile, or a link to nothing
            status = (root / name).stat()
            if stat.S_ISREG(status.st_mode):
                yield name, status


def _files_there(source: str) -> Iterator[tuple[str, Any]]:
    root = UPath(source)
    yield from asked(
        source,
        lambda: [
            (str(path.relative_to(root)), path.stat()) for path in sorted(root.rglob("*"), key=str) if path.is_file()
        ],
    )


def no_folder(entry: Path) -> str:
    """The sentence for a file where a drop was expected."""
    what, stem = in_inbox(entry), entry.name.partition(".")[0]
    if entry.suffix.lower() in {".zip", ".tar", ".gz", ".tgz", ".7z", ".bz2", ".xz", ".rar"}:
        return f"{what} is an archive, and a drop is a folder; unpack it into {shlex.quote(in_inbox(entry, stem))}."
    return f"{what} is a file, and a drop is a folder; move it into the drop it belongs to, or out of the inbox."


def content_objections(folder: Path, mapped: str = "") -> tuple[str, ...]:
    """What stands in the way of reading a folder, one sentence with its remedy; empty where it holds the table.

    Args:
        mapped: name or pattern of the table that a mapping reads instead; "" where there is no mapping.
    """
    if (folder / TABLE).is_file() or (mapped and any(path.is_file() for path in folder.glob(mapped))):
        return ()
    tables = _tables_below(folder)
    beside = [path.name for path in tables if path.parent == folder]
    if beside:
        return (f"{in_inbox(folder)} holds {beside[0]} where it needs {TABLE}; rename that file.",)
    places = [path.parent.relative_to(folder.parent).as_posix() for path in tables]
    if len(places) == 1:
        return (
            f"{in_inbox(folder)} holds no {TABLE}, but {places[0]} in it does; "
            f"move what is in {places[0]} up into {folder.name}.",
        )
    if places:
        return (
            f"{in_inbox(folder)} holds no {TABLE}, but {len(places)} folders in it do ({', '.join(places[:3])}); "
            "put each of them into the inbox as a drop of its own.",
        )
    others = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    holds = f"only {', '.join(others[:3])}{' …' if len(others) > 3 else ''}" if others else "nothing"
    return (f"{in_inbox(folder)} holds no {TABLE} ({holds}); put the table there, or remove the folder.",)


def is_complete(folder: Path) -> bool:
    """Does a delivery say what it holds, and hold all of it? Then nothing has to be waited for."""
    listed = _listed(folder)
    return listed is not None and bool(listed) and not _lacking(folder, listed)


def manifest_objections(folder: Path) -> tuple[str, ...]:
    """What a delivery says that it holds and does not, in one sentence with its remedy; empty without a manifest."""
    if not (folder / MANIFEST).is_file():
        return ()
    listed, what = _listed(folder), in_inbox(folder)
    if not listed:
        form = '{"files": {"styles.csv": 1234}}'
        return (f"{what}/{MANIFEST} is no list of files and their bytes ({form}); mend it, or remove it.",)
    if lacking := _lacking(folder, listed):
        return (
            f"{what} lacks {len(lacking)} of the {len(listed)} files of its {MANIFEST}, or has them in another size "
            f"(first: {lacking[0]!r:.100}); copy them, or remove the manifest.",
        )
    return ()


def _listed(folder: Path) -> dict[str, int] | None:
    """Names and bytes of a manifest; None where there is none, {} where it is none."""
    try:
        content = json.loads((folder / MANIFEST).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):  # half of one, while it is copied
        return {}
    files = content.get("files") if isinstance(content, dict) else None
    if not isinstance(files, dict) or not all(type(size) is int for size in files.values()):
        return {}
    return files


def _lacking(folder: Path, listed: dict[str, int]) -> list[str]:
    return [name for name, size in listed.items() if _bytes_of(folder / name) != size]


def _bytes_of(file: Path) -> int | None:
    try:
        status = file.stat()
    except (OSError, ValueError):  # not there yet; a name that no file has
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def in_inbox(entry: Path, name: str | None = None) -> str:
    """An entry, or another beside it, as sentences name it: with the inbox before it."""
    return f"{entry.parent.name}/{name or entry.name}"


def _tables_below(folder: Path) -> list[Path]:
    """Tables by any spelling of the name, not deeper than archives put them."""
    tables = []
    for parent, folders, files in os.walk(folder):
        tables += [Path(parent) / file for file in files if file.lower() == TABLE]
        if len(Path(parent).relative_to(folder).parts) >= NESTED_DEPTH:
            folders.clear()
    return sorted(tables)
