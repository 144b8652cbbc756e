"""A delivery before it is read: what its files are by now, and what stands in the way of reading them.

Belongs here: the fingerprint of a delivery's files, its manifest, objections to a folder, each with its remedy. Not
here: reading (reading.py), where deliveries arrive and what became of them (orchestration/defs/catalog/).
"""

import contextlib
import fnmatch
import hashlib
import json
import os
import shlex
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from upath import UPath

from catalog.source import Source

TABLE = "styles.csv"
MANIFEST = "manifest.json"  # of a delivery that says what it holds: {"files": {name: bytes}}
NESTED_DEPTH = 3  # archives put one folder around what they hold, some two


class Stamp(NamedTuple):
    """A file as a listing has it: its bytes, and what changes when it is written."""

    size: int
    written: str


def fingerprint(source: str, mapping: Path | None = None) -> str:
    """Changes when a file of the delivery is added, removed or written: names, sizes and times, not contents.

    In a bucket an object's ETag stands for its time. A file that goes while this looks is left out: the next look
    differs. A delivery in another layout is what its mapping makes of it, so it changes with the mapping's content,
    too.

    Raises:
        ServiceUnavailable: the bucket does not answer.
    """
    return fingerprint_of(files_there(source) if "://" in source else dict(_files_here(Path(source))), mapping)


def fingerprint_of(files: Mapping[str, Stamp], mapping: Path | None = None) -> str:
    """`fingerprint` of a delivery whose files are known."""
    digest, mapped = hashlib.sha256(), mapping is not None
    for name, stamp in files.items():
        digest.update(f"{name} {stamp.size} {stamp.written}\n".encode(errors="surrogateescape"))
        mapped = mapped and name != TABLE
    if mapping is not None and mapped:
        with contextlib.suppress(OSError):  # one that cannot be read is told by the run that reads the drop
            digest.update(mapping.read_bytes())
    return digest.hexdigest()


def files_there(source: str | UPath) -> dict[str, Stamp]:
    """Every object of a delivery in a bucket by its relative name, in order; one request for each 1,000.

    Raises:
        ServiceUnavailable: the bucket does not answer. SelvedgeError: it refuses.
    """
    return {
        name: Stamp(info["size"], str(info.get("ETag") or info.get("LastModified") or info.get("created") or ""))
        for name, info in sorted(Source(source).everything().items())
    }


def _files_here(root: Path) -> Iterator[tuple[str, Stamp]]:
    """Files of a folder by their relative names, in order; asked of the system at once, as a sensor asks often."""
    names = []
    for folder, _, files in os.walk(root):
        names += [os.path.relpath(os.path.join(folder, file), root) for file in files]  # noqa: PTH118
    for name in sorted(names):
        with contextlib.suppress(OSError):  # gone meanwhile, or a link to nothing
            status = (root / name).stat()
            if stat.S_ISREG(status.st_mode):
                yield name, Stamp(status.st_size, f"{status.st_mtime:.3f}")


def no_folder(where: str) -> str:
    """The sentence for a file where a drop was expected. `where`: as sentences name it."""
    parent, _, name = where.rpartition("/")
    if PurePosixPath(name).suffix.lower() in {".zip", ".tar", ".gz", ".tgz", ".7z", ".bz2", ".xz", ".rar"}:
        unpacked = shlex.quote(f"{parent}/{name.partition('.')[0]}")
        return f"{where} is an archive, and a drop is a folder; unpack it into {unpacked}."
    return f"{where} is a file, and a drop is a folder; move it into the drop it belongs to, or out of the inbox."


def content_objections(folder: Path, mapped: str = "") -> tuple[str, ...]:
    """What stands in the way of reading a folder, one sentence with its remedy; empty where it holds the table.

    Args:
        mapped: name or pattern of the table that a mapping reads instead; "" where there is no mapping.
    """
    if (folder / TABLE).is_file() or (mapped and any(path.is_file() for path in folder.glob(mapped))):
        return ()
    tables = [PurePosixPath(path.relative_to(folder).as_posix()) for path in _tables_below(folder)]
    return _without_table(in_inbox(folder), folder.name, tables, [path.name for path in folder.iterdir()])


def objections_to(where: str, files: Mapping[str, Stamp], manifest: bytes | None, mapped: str = "") -> tuple[str, ...]:
    """`content_objections` and `manifest_objections` of a delivery in a bucket, by its listing.

    Args:
        where: its address.
        manifest: content of its manifest; None where it has none.
    """
    paths = [PurePosixPath(name) for name in files]
    sentences: tuple[str, ...] = ()
    if TABLE not in files and not (
        mapped and any("/" not in name and fnmatch.fnmatchcase(name, mapped) for name in files)
    ):
        tables = [path for path in paths if path.name.lower() == TABLE and len(path.parts) - 1 <= NESTED_DEPTH]
        sentences = _without_table(where, where.rpartition("/")[2], tables, [path.parts[0] for path in paths])
    if manifest is None:
        return sentences
    listed = _listed_in(manifest)
    return (*sentences, *_manifest_objections(where, listed, _lacking(listed, lambda name: _size_of(files, name))))


def complete_by(files: Mapping[str, Stamp], manifest: bytes | None) -> bool:
    """`is_complete` of a delivery in a bucket."""
    listed = {} if manifest is None else _listed_in(manifest)
    return bool(listed) and not _lacking(listed, lambda name: _size_of(files, name))


def _size_of(files: Mapping[str, Stamp], name: str) -> int | None:
    return files[name].size if name in files else None


def _without_table(where: str, name: str, tables: Sequence[PurePosixPath], entries: Sequence[str]) -> tuple[str, ...]:
    """What to do about a delivery without the table at its place.

    Args:
        tables: what is called so further down, or otherwise spelled; from the delivery's folder.
        entries: names of what lies in that folder itself; the same may come more than once.
    """
    beside = [path.name for path in tables if len(path.parts) == 1]
    if beside:
        return (f"{where} holds {beside[0]} where it needs {TABLE}; rename that file.",)
    places = [f"{name}/{path.parent.as_posix()}" for path in tables]
    if len(places) == 1:
        return (f"{where} holds no {TABLE}, but {places[0]} in it does; move what is in {places[0]} up into {name}.",)
    if places:
        return (
            f"{where} holds no {TABLE}, but {len(places)} folders in it do ({', '.join(places[:3])}); "
            "put each of them into the inbox as a drop of its own.",
        )
    others = sorted({entry for entry in entries if not entry.startswith(".")})
    holds = f"only {', '.join(others[:3])}{' …' if len(others) > 3 else ''}" if others else "nothing"
    return (f"{where} holds no {TABLE} ({holds}); put the table there, or remove the folder.",)


def is_complete(folder: Path) -> bool:
    """Does a delivery say what it holds, and hold all of it? Then nothing has to be waited for."""
    listed = _listed(folder)
    return bool(listed) and not _lacking(listed, lambda name: _bytes_of(folder / name))


def manifest_objections(folder: Path) -> tuple[str, ...]:
    """What a delivery says that it holds and does not, in one sentence with its remedy; empty without a manifest."""
    if not (folder / MANIFEST).is_file():
        return ()
    listed = _listed(folder)
    return _manifest_objections(in_inbox(folder), listed, _lacking(listed, lambda name: _bytes_of(folder / name)))


def _manifest_objections(where: str, listed: Mapping[str, int], lacking: Sequence[str]) -> tuple[str, ...]:
    if not listed:
        form = '{"files": {"styles.csv": 1234}}'
        return (f"{where}/{MANIFEST} is no list of files and their bytes ({form}); mend it, or remove it.",)
    if lacking:
        return (
            f"{where} lacks {len(lacking)} of the {len(listed)} files of its {MANIFEST}, or has them in another size "
            f"(first: {lacking[0]!r:.100}); copy them, or remove the manifest.",
        )
    return ()


def _listed(folder: Path) -> dict[str, int]:
    """Names and bytes of a manifest; {} where there is none, or it is none."""
    try:
        return _listed_in((folder / MANIFEST).read_bytes())
    except OSError:
        return {}


def _listed_in(manifest: bytes) -> dict[str, int]:
    try:
        content = json.loads(manifest)
    except (ValueError, RecursionError):  # half of one, while it is copied
        return {}
    files = content.get("files") if isinstance(content, dict) else None
    if not isinstance(files, dict) or not all(type(size) is int for size in files.values()):
        return {}
    return files


def _lacking(listed: Mapping[str, int], bytes_of: Callable[[str], int | None]) -> list[str]:
    return [name for name, size in listed.items() if bytes_of(name) != size]


def _bytes_of(file: Path) -> int | None:
    try:
        status = file.stat()
    except (OSError, ValueError):  # not there yet; a name that no file has
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def in_inbox(entry: Path) -> str:
    """An entry as sentences name it: with the inbox before it."""
    return f"{entry.parent.name}/{entry.name}"


def _tables_below(folder: Path) -> list[Path]:
    """Tables by any spelling of the name, not deeper than archives put them."""
    tables = []
    for parent, folders, files in os.walk(folder):
        tables += [Path(parent) / file for file in files if file.lower() == TABLE]
        if len(Path(parent).relative_to(folder).parts) >= NESTED_DEPTH:
            folders.clear()
    return sorted(tables)
