"""A backup's files: the manifest that says what they must hash to, and reading them back from a folder or a tar file.

Belongs here: format, versions, hashes. Not here: copying a home that is at work (backup.py), putting it back
(restore.py).
"""

import hashlib
import importlib.metadata
import json
import platform
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Protocol

from packaging.version import InvalidVersion, Version

from catalog.errors import SelvedgeError
from catalog.files import json_sha256
from catalog.places import remedy_of
from orchestration.runtime.installed_code import installed_code

FORMAT = 1
MANIFEST, HOME = "manifest.json", "home"  # in the backup
CHUNK = 1 << 20
COMPARED = ("selvedge", "dagster", "mlflow")  # a database of a newer one cannot be read by an older one
OWNER = 0o700


@dataclass(frozen=True)
class BackedUp:
    """One file.

    Attributes:
        path: in the home. mode: its owner's rights; nobody else has any. changed: nanoseconds since the epoch; a
            delivery whose files are not as old as they were would be read again.
    """

    path: str
    sha256: str
    bytes: int
    mode: int
    changed: int


@dataclass(frozen=True)
class Manifest:
    """What a backup is.

    Attributes:
        made: when, UTC. home: folder that it was made of. versions: of what made it. links: path to target.
        elsewhere: what the home uses and the backup does not hold, one sentence each.
    """

    made: str
    home: str
    versions: Mapping[str, str]
    files: Sequence[BackedUp]
    links: Mapping[str, str]
    elsewhere: Sequence[str]

    def to_json(self) -> str:
        content = {"format": FORMAT, **asdict(self)}
        return json.dumps({**content, "sha256": json_sha256(content)}, indent=1, sort_keys=True) + "\n"

    @property
    def sha256(self) -> str:
        """Of everything it says."""
        return json_sha256({"format": FORMAT, **asdict(self)})


def versions_here() -> dict[str, str]:
    """What makes and reads backups here."""
    code = installed_code()
    names = {name: importlib.metadata.version(name) for name in ("dagster", "mlflow")}
    return {"selvedge": code.version, "code_sha256": code.sha256, "python": platform.python_version(), **names}


class Source(Protocol):
    """A backup to read from."""

    def open(self, name: str) -> IO[bytes]:
        """Raises: KeyError, OSError: there is no such file."""


class Folder:
    """A backup that is a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def open(self, name: str) -> IO[bytes]:
        return (self._root / name).open("rb")


class Tar:
    """A backup that is one file."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive

    def open(self, name: str) -> IO[bytes]:
        file = self._archive.extractfile(name)
        if file is None:
            raise KeyError(name)
        return file


@contextmanager
def opened(backup: Path) -> Iterator[Source]:
    """A backup's files.

    Raises:
        SelvedgeError: it is neither a folder nor a tar file.
    """
    if backup.is_dir():
        yield Folder(backup)
        return
    with ExitStack() as stack:
        try:
            archive = stack.enter_context(tarfile.open(backup, "r:"))
        except FileNotFoundError as error:
            raise SelvedgeError(f"backup {backup} does not exist; name what `selvedge backup` wrote.") from error
        except (OSError, tarfile.TarError) as error:
            raise SelvedgeError(f"{backup} is no backup, or a damaged one ({error}); use another one.") from error
        yield Tar(archive)


def read_manifest(source: Source, backup: Path) -> Manifest:
    """What a backup says of itself.

    Raises:
        SelvedgeError: it has no manifest, a damaged one, or one of another version; or names a place outside a home.
    """
    try:
        with source.open(MANIFEST) as file:
            content: dict[str, Any] = json.loads(file.read())
        stated, number = content.pop("sha256"), content["format"]
    except (KeyError, FileNotFoundError, NotADirectoryError) as error:
        raise SelvedgeError(f"{backup} holds no {MANIFEST}, so it is no whole backup; use another one.") from error
    except (OSError, ValueError, AttributeError, TypeError, tarfile.TarError) as error:
        raise _damaged(backup, MANIFEST) from error
    if number != FORMAT:
        raise SelvedgeError(
            f"backup {backup} has format {number}, and this Selvedge reads format {FORMAT}; restore it with the "
            f"Selvedge that made it ({_made_with(content)})."
        )
    if stated != json_sha256(content):
        raise _damaged(backup, MANIFEST)
    del content["format"]
    manifest = Manifest(**{**content, "files": [BackedUp(**file) for file in content["files"]]})
    _refuse_newer(manifest, backup)
    for path in (*(file.path for file in manifest.files), *manifest.links):
        parts = PurePosixPath(path)
        below_a_link = any(str(parent) in manifest.links for parent in parts.parents)
        if parts.is_absolute() or ".." in parts.parts or not parts.parts or below_a_link:
            raise SelvedgeError(f"backup {backup} names {path!r}, which is outside a home; use another one.")
    return manifest


def copy_hashed(source: IO[bytes], target: Path, mode: int) -> tuple[str, int]:
    """Copy one file to a place where none is; sha256 and bytes of what was written.

    Raises:
        SelvedgeError: what is copied cannot be read.
        OSError: the copy cannot be written.
    """
    digest, size = hashlib.sha256(), 0
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        target.chmod(mode & OWNER | 0o600)
        for chunk in _chunks(source):
            digest.update(chunk)
            size += len(chunk)
            file.write(chunk)
    return digest.hexdigest(), size


def _chunks(source: IO[bytes]) -> Iterator[bytes]:
    try:
        while chunk := source.read(CHUNK):
            yield chunk
    except OSError as error:
        raise not_read(source.name, error) from error


def not_read(what: object, error: OSError) -> SelvedgeError:
    """The error of a file or folder that cannot be read: of it, and not of the place that it was to be copied to."""
    return SelvedgeError(f"{what} cannot be read ({error.strerror or error}); nothing was written. {remedy_of(error)}")


def _damaged(backup: Path, file: str) -> SelvedgeError:
    return SelvedgeError(
        f"backup {backup} is damaged: {file} is not what was written; nothing was restored. Use another backup."
    )


def not_as_written(backup: Path, file: BackedUp) -> SelvedgeError:
    """The error of a file that is missing, or is not what the manifest says."""
    return _damaged(backup, file.path)


def _made_with(content: Mapping[str, Any]) -> str:
    versions = content.get("versions")
    return f"version {versions['selvedge']}" if isinstance(versions, dict) and "selvedge" in versions else "a newer one"


def _refuse_newer(manifest: Manifest, backup: Path) -> None:
    """Raises SelvedgeError: something newer than what is installed wrote the databases."""
    here = versions_here()
    for name in COMPARED:
        try:
            newer = Version(manifest.versions[name]) > Version(here[name])
        except (KeyError, InvalidVersion) as error:
            raise _damaged(backup, MANIFEST) from error
        if newer:
            raise SelvedgeError(
                f"backup {backup} was made with {name} {manifest.versions[name]}, and {here[name]} is installed here; "
                f"install {name} {manifest.versions[name]} or newer, and restore again."
            )
