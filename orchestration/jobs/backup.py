"""Backup: a home copied while it is at work, so that the copy is a home that was killed at one moment.

Belongs here: what belongs to a backup, copying files and databases that agree with each other. Not here: the manifest
(backup_files.py), putting it back (restore.py).

Whatever Selvedge does, a kill at any moment leaves a state that the next start completes. So a copy is good when its
databases say no more than its files hold, and no less: files are copied first, then every database by SQLite's own
online backup, and if a file changed meanwhile, what changed is copied again, and the databases once more. Between the
databases the order does it: of a ledger and of what remembers its head, of two that record the same promotion, one is
never ahead of what the other can explain.
"""

import errno
import hashlib
import os
import shutil
import sqlite3
import stat
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from upath import UPath

from catalog.errors import SelvedgeError, ServiceUnavailable
from catalog.places import check_output_file, is_full, not_written, part_of, remove_parts
from infra.database_address import without_password
from orchestration.jobs.backup_files import (
    HOME,
    MANIFEST,
    OWNER,
    BackedUp,
    Manifest,
    copy_hashed,
    not_read,
    versions_here,
)
from orchestration.jobs.unfinished_backups import NOTES, noted
from orchestration.registry.ledger import head_file, one_at_a_time
from orchestration.runtime.folders import new_folder
from orchestration.runtime.reserve import RESERVE, let_reserve_go_when_full
from orchestration.runtime.settings import LOCAL, OFF, Settings

# Made again when it is needed, or of the processes that run now.
LEFT_OUT = (
    *("features", "logs", "models", "proxy", "work", "label-studio/environments", "label-studio/python"),
    *(NOTES, RESERVE),
)
LEFT_OUT_ENDINGS = (".lock", ".pid", ".part", "-wal", "-shm", "-journal", ".sock")
DELIVERED = (("inbox",), ("drawn",))  # a person's files, whatever their names
DATABASES = (".db", ".sqlite3", ".sqlite")
SQLITE = b"SQLite format 3\0"
MUST_AGREE = ("tables", "objects", "mlflow/artifacts", "bottoms", "picks", "bases")  # files that databases name
LEDGER, HEAD = "ledger.db", "ledger.head"
PASSES = 6
WAIT_SECONDS = 1.0
# The first of these is the oldest copy: a later one may know more, never less, than what an earlier one says.
ORDER = ("dagster/", "mlflow/", LEDGER, "ads.db")
ARCHIVE = ".tar"
PACKED = (".gz", ".tgz", ".zip", ".bz2", ".xz", ".zst", ".7z")
SECRETS = "secrets/"
Stamp = tuple[int, int, int]  # inode, bytes, nanoseconds of the last change


@dataclass(frozen=True)
class Made:
    """A backup that was made. secrets: files of credentials and keys in it."""

    path: Path
    manifest: Manifest
    databases: int
    secrets: int


@dataclass
class _Copy:
    """What was copied so far: of every file its entry and its stamp."""

    home: Path
    folder: Path
    entries: dict[str, BackedUp] = field(default_factory=dict)
    stamps: dict[str, Stamp] = field(default_factory=dict)
    databases: set[str] = field(default_factory=set)


def make_backup(
    settings: Settings, target: Path, families: Sequence[str], report: Callable[[int, int, str], None]
) -> Made:
    """Copy a home into a new folder, or into a file whose name ends with `.tar`.

    Args:
        families: whose promotions wait while the databases are copied. report: done, all, of what.

    Raises:
        SelvedgeError: there is no home, something stands at the target or it is in the home, a database is damaged, or
            the disk is full.
        ServiceUnavailable: the home changed faster than it could be copied, or a promotion took a minute.
    """
    home, target = settings.home, target.expanduser().resolve()
    if not (settings.dagster_home / "dagster.yaml").is_file() and not (home / "ledger.db").is_file():
        raise SelvedgeError(f"{home} holds nothing to back up; set SELVEDGE_HOME to a home.")
    if target.is_relative_to(home):
        raise SelvedgeError(f"{target} lies in the home itself; name a place outside, best on another disk.")
    if target.suffix in PACKED:
        raise SelvedgeError(
            f"{target.name} would be packed, which pictures and weights are already; name it NAME{ARCHIVE}."
        )
    let_reserve_go_when_full(home)
    try:
        if target.suffix == ARCHIVE:
            check_output_file(target)
            if target.exists():
                raise SelvedgeError(f"{target} is already there; name another file, or remove it first.")
            with noted(home, target), _beside(target) as folder:
                made = _into(settings, folder / "whole", families, report)
                _pack(folder / "whole", folder / "archive", target)
        else:
            with noted(home, target), new_folder(target) as folder:
                made = _into(settings, folder, families, report)
    except OSError as error:
        raise not_written(target, error) from error
    manifest, databases = made
    secrets = sum(file.path.startswith(SECRETS) for file in manifest.files)
    return Made(target, manifest, databases, secrets)


def _into(
    settings: Settings, folder: Path, families: Sequence[str], report: Callable[[int, int, str], None]
) -> tuple[Manifest, int]:
    copy = _Copy(settings.home, folder / HOME)
    copy.folder.mkdir(parents=True, mode=0o700)
    for number in range(PASSES):
        _copy_files(copy, report)
        _copy_databases(settings, copy, families)
        if not (changed := _changed(copy)):
            break
        if number == PASSES - 1:
            raise ServiceUnavailable(
                f"{settings.home / changed} changed while the home was copied, as other files did {PASSES} times in a "
                "row; run again when fewer runs are at work."
            )
        time.sleep(WAIT_SECONDS)
    links = _links(settings.home)
    manifest = Manifest(
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        home=str(settings.home),
        versions=versions_here(),
        files=[copy.entries[path] for path in sorted(copy.entries)],
        links=links,
        elsewhere=[*elsewhere(settings), *_linked_elsewhere(settings.home, links)],
    )
    (folder / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
    return manifest, len(copy.databases)


def elsewhere(settings: Settings) -> Iterator[str]:
    """What the home uses and is not in it, with who keeps it safe."""
    if settings.storage:
        yield f"tables and objects are in {settings.storage}: keep versions of that bucket, as its provider offers."
    if settings.inbox != UPath(settings.home / "inbox"):
        yield f"deliveries lie in {settings.inbox}: whoever delivers keeps them; a table says what was read of each."
    if settings.postgres_uri is not None:
        yield (
            f"Dagster, MLflow, ledger and Label Studio are in {without_password(settings.postgres_uri)}: back it up "
            "with pg_dump, right after this."
        )
    if settings.ledger is not None:
        yield f"the ledger is at {without_password(settings.ledger_uri)}: back that database up with its own tools."
    if settings.tracking_uri:
        yield f"runs and models are on {settings.tracking_uri}: its owner backs them up."
    if settings.mlflow_database:
        yield f"MLflow's database is at {without_password(settings.mlflow_database)}: back it up with its own tools."
    if settings.mlflow_artifacts:
        yield f"models are in {settings.mlflow_artifacts}: keep versions of that place."
    if settings.label_studio not in (LOCAL, OFF):
        yield f"annotations are on {settings.label_studio}: its owner backs them up; the ledger holds what was pulled."
    if settings.label_studio_database:
        yield f"Label Studio's database is at {without_password(settings.label_studio_database)}: back it up, too."
    if settings.evidence_key is not None:
        yield "the key that signs evidence is in SELVEDGE_EVIDENCE_KEY: keep it in your secret store."


def _links(home: Path) -> dict[str, str]:
    """Links of a home and where they lead; what is in the home itself is named from the link on, wherever it is put."""
    links = {}
    for path in _walk(home):
        try:
            target = path.readlink()
        except OSError:  # no link, or gone meanwhile
            continue
        inside = target.is_absolute() and target.is_relative_to(home)
        links[str(path.relative_to(home))] = os.path.relpath(target, path.parent) if inside else str(target)
    return links


def _linked_elsewhere(home: Path, links: Mapping[str, str]) -> Iterator[str]:
    """What links lead to outside the home, a person's deliveries apart: of it the backup has the link alone."""
    for path, target in links.items():
        place = Path(os.path.normpath((home / path).parent / target))
        if Path(path).parts[:1] not in DELIVERED and not place.is_relative_to(home):
            yield f"{path} is a link to {place}: keep that place safe, and have it there before the home is used again."


def _copy_files(copy: _Copy, report: Callable[[int, int, str], None]) -> None:
    """Every file that is not copied as it is now; what is gone goes from the copy, too."""
    seen = _files(copy.home)
    for path in [path for path in copy.stamps if path not in seen]:
        (copy.folder / path).unlink(missing_ok=True)
        copy.entries.pop(path, None)
        del copy.stamps[path]
    left = [path for path, stamp in seen.items() if copy.stamps.get(path) != stamp]
    for number, path in enumerate(left, start=1):
        try:
            file = (copy.home / path).open("rb")
        except FileNotFoundError:  # gone while this went on: the next look sees that
            continue
        except OSError as error:
            raise not_read(copy.home / path, error) from error
        with file:
            status = os.fstat(file.fileno())
            mode = stat.S_IMODE(status.st_mode) & OWNER
            sha256, size = copy_hashed(file, copy.folder / path, mode)
        copy.entries[path] = BackedUp(path, sha256, size, mode, status.st_mtime_ns)
        copy.stamps[path] = seen[path]
        report(number, len(left), "files")


def _changed(copy: _Copy) -> str:
    """A file that databases name and that is not as it was copied; "" where there is none."""
    seen = _files(copy.home)
    differing = (path for path in {**seen, **copy.stamps} if seen.get(path) != copy.stamps.get(path))
    return next((path for path in differing if path.startswith(tuple(f"{top}/" for top in MUST_AGREE))), "")


def _copy_databases(settings: Settings, copy: _Copy, families: Sequence[str]) -> None:
    """All databases of the home by SQLite's online backup, and the ledger's head together with the ledger."""
    paths = [str(path.relative_to(copy.home)) for path in _walk(copy.home) if _is_database(path)]
    paths.sort(key=lambda path: next((turn for turn, top in enumerate(ORDER) if path.startswith(top)), len(ORDER)))
    for path in copy.databases - set(paths):  # of a run that is gone
        (copy.folder / path).unlink(missing_ok=True)
        copy.entries.pop(path, None)
    copy.databases &= set(paths)
    until = next((number for number, path in enumerate(paths) if not path.startswith(ORDER[:3])), len(paths))
    with ExitStack() as stack:
        if (copy.home / HEAD).exists():
            for family in families:
                stack.enter_context(one_at_a_time(settings, family))
        for path in paths[:until]:
            if path != LEDGER:
                _copy_database(copy, path)
        _copy_ledger(settings, copy, paths)
    for path in paths[until:]:
        _copy_database(copy, path)


def _copy_ledger(settings: Settings, copy: _Copy, paths: Sequence[str]) -> None:
    """The ledger, unless it lies elsewhere, and what remembers its head, while nobody writes either."""
    if not (copy.home / HEAD).exists():
        if LEDGER in paths:  # of an older Selvedge
            _copy_database(copy, LEDGER)
        return
    with head_file(settings).unchanging():
        if LEDGER in paths:
            _copy_database(copy, LEDGER)
        with (copy.home / HEAD).open("rb") as file:
            sha256, size = copy_hashed(file, copy.folder / HEAD, 0o600)
        copy.entries[HEAD] = BackedUp(HEAD, sha256, size, 0o600, (copy.home / HEAD).stat().st_mtime_ns)


def _copy_database(copy: _Copy, path: str) -> None:
    target = copy.folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        with (
            closing(sqlite3.connect(f"{(copy.home / path).as_uri()}?mode=rw", uri=True, timeout=60)) as source,
            closing(sqlite3.connect(target)) as database,
        ):
            source.backup(database)
            database.execute("PRAGMA journal_mode = DELETE")
            changed = (copy.home / path).stat().st_mtime_ns
            (sound,) = database.execute("PRAGMA quick_check").fetchone()
    except sqlite3.OperationalError as error:
        if "disk is full" in str(error) or is_full(target.parent):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        if not (copy.home / path).exists():  # a run that was removed meanwhile took its own along
            target.unlink(missing_ok=True)
            return
        raise ServiceUnavailable(f"database {copy.home / path} cannot be copied ({error}); run again.") from error
    except sqlite3.DatabaseError as error:
        raise _unsound(copy.home / path, str(error)) from error
    if sound != "ok":
        raise _unsound(copy.home / path, sound)
    target.chmod(0o600)
    with target.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    copy.entries[path] = BackedUp(path, sha256, target.stat().st_size, 0o600, changed)
    copy.databases.add(path)


def _unsound(path: Path, why: str) -> SelvedgeError:
    return SelvedgeError(
        f"database {path} is damaged ({why.splitlines()[0]}); no backup was made. Restore an earlier one."
    )


def _files(home: Path) -> dict[str, Stamp]:
    """Every file of a home that is no database, and how to see that it changes."""
    stamps = {}
    for path in _walk(home):
        try:
            status = path.lstat()
        except FileNotFoundError:
            continue
        name = str(path.relative_to(home))
        if stat.S_ISREG(status.st_mode) and name != HEAD and not _is_database(path):
            stamps[name] = (status.st_ino, status.st_size, status.st_mtime_ns)
    return stamps


def _walk(home: Path) -> Iterator[Path]:
    """Files and links of a home that belong to a backup.

    Raises:
        SelvedgeError: a folder cannot be listed: its files would be missing from the copy without a word.
    """
    for parent, folders, files in os.walk(home, onerror=_not_listed):
        below = Path(parent).relative_to(home)
        linked = [name for name in folders if Path(parent, name).is_symlink()]
        endings = () if below.parts[:1] in DELIVERED else LEFT_OUT_ENDINGS
        folders[:] = sorted(
            name for name in folders if str(below / name) not in LEFT_OUT and not name.endswith(endings)
        )
        for name in sorted([*files, *linked]):
            if str(below / name) not in LEFT_OUT and not name.endswith(endings):
                yield Path(parent, name)


def _not_listed(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):  # a folder that went while this looked
        raise not_read(error.filename, error) from error


def _is_database(path: Path) -> bool:
    if path.suffix not in DATABASES or path.is_symlink():
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(SQLITE)) == SQLITE
    except FileNotFoundError:
        return False
    except OSError as error:
        raise not_read(path, error) from error


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A folder beside the target, which vanishes at the end; what killed commands left there is removed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_parts(target.parent, target.name)
    part = part_of(target)
    part.mkdir(mode=0o700)
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _pack(folder: Path, part: Path, target: Path) -> None:
    """One file of a folder's, which takes its name when it is whole; nobody else may read it."""
    with open(part, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
            archive.add(folder / MANIFEST, MANIFEST)
            archive.add(folder / HOME, HOME)
        file.flush()
        os.fsync(file.fileno())
    part.replace(target)
