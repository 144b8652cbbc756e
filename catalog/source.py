"""Where a catalogue lies: a local folder or a bucket, behind the few operations that reading needs.

Belongs here: listing folders, fetching files, one clear sentence when the place does not answer.
Not here: what the files mean.

Product ids never become paths: a file is opened only if its name was found in a listing of `images/` or `styles/`.
"""

import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from upath import UPath

from catalog.errors import SelvedgeError, ServiceUnavailable
from catalog.stores import asked, bounded, in_one_piece, size_of, stored_bytes, whole

ONE_FILES_OWN = frozenset({errno.EACCES, errno.EPERM, errno.ELOOP, errno.EISDIR, errno.ENAMETOOLONG})
"""Errors that say something about one file, not about the disk or the network it lies on."""


class File(NamedTuple):
    """A file found in a listing."""

    path: str  # as the file system takes it
    uri: str  # as a table records it
    size: int | None  # bytes; None where a listing does not say (local folders)


class Listing(NamedTuple):
    """What lies in one folder. Names are plain, without the folder."""

    files: list[File]
    folders: list[str]
    dangling: list[str]  # links that lead nowhere, or to themselves


def name_of(file: File) -> str:
    """A file's plain name."""
    return file.path.rpartition("/")[2]


def is_local(path: UPath) -> bool:
    """Whether a path is on this machine's own file system."""
    return path.protocol in ("", "file", "local")


class Source:
    """A catalogue's root. `file_system` is None for local folders, else an fsspec file system that pickles."""

    def __init__(self, root: str | Path | UPath) -> None:
        """Raises SelvedgeError if there is no such folder."""
        try:
            self.root = UPath(root)
            local = is_local(self.root)
            if local:
                self.root = UPath(Path(self.root.path).expanduser().resolve())
            self.file_system: Any = None if local else self.root.fs
        except (ImportError, ValueError) as error:  # s3fs is an extra; or no such protocol
            remedy = "give a folder, or install selvedge[aws]"
            raise SelvedgeError(f"{root} cannot be opened ({error}); {remedy}.") from error
        if self.file_system is not None:
            self.file_system.invalidate_cache()  # a long-lived process must see what was delivered since it last looked
        self._root_listing: Listing | None = None
        if local and Path(self.root.path).is_file():
            raise SelvedgeError(f"{root} is a file; give the folder (unpacked) or s3:// URI that holds styles.csv.")
        if local and not Path(self.root.path).is_dir():
            raise SelvedgeError(f"there is no catalogue at {root}; give a folder or s3:// URI that holds styles.csv.")

    def read(self, name: str) -> bytes | None:
        """The bytes of a file directly under the root, its name in whatever case; None if it is not there."""
        try:
            return self._read(name)
        except FileNotFoundError:
            spelled = self.spelled(name)
            return self._read(spelled) if spelled is not None else None

    def spelled(self, name: str) -> str | None:
        """The one file or folder directly under the root that has this name in whatever case."""
        if self._root_listing is None:
            self._root_listing = self.listing("")
        there = self._root_listing
        names = [*map(name_of, there.files), *there.folders]
        alike = [entry for entry in names if entry.casefold() == name.casefold()]
        return name if name in alike else alike[0] if len(alike) == 1 else None

    def listing(self, folder: str) -> Listing:
        """What lies in a folder under the root ("" for the root itself); nothing where there is no such folder."""
        directory = self.root / folder if folder else self.root
        try:
            if self.file_system is None:
                with os.scandir(directory.path) as entries:
                    return _local_listing(entries)
            protocol = self.root.protocol
            listed = asked(str(directory), lambda: bounded(self.file_system).ls(directory.path, detail=True))
            files = [
                File(info["name"], f"{protocol}://{info['name']}", info.get("size"))
                for info in listed
                if info["type"] == "file"
            ]
            folders = [info["name"].rstrip("/").rpartition("/")[2] for info in listed if info["type"] == "directory"]
            return Listing(files, folders, [])
        except (FileNotFoundError, NotADirectoryError):
            return Listing([], [], [])
        except Exception as error:
            raise self._unreachable(str(directory), error) from error

    def require_bucket(self) -> None:
        """Raises SelvedgeError: the bucket that the root names is not there."""
        bucket = self.root.path.strip("/").partition("/")[0]
        try:
            asked(bucket, lambda: bounded(self.file_system).info(bucket))
        except FileNotFoundError as error:
            raise SelvedgeError(f"there is no bucket {bucket}; check its name and the account.") from error
        except Exception as error:
            raise self._unreachable(bucket, error) from error

    def everything(self) -> dict[str, dict[str, Any]]:
        """Every object under the root of a bucket by its relative name, as the object store tells of it."""
        root = self.root.path.rstrip("/")
        try:
            infos = asked(str(self.root), lambda: bounded(self.file_system).find(root, detail=True))
        except FileNotFoundError:
            return {}
        except Exception as error:
            raise self._unreachable(str(self.root), error) from error
        return {
            name.removeprefix(root).lstrip("/"): info
            for name, info in infos.items()
            if info["type"] == "file" and not name.endswith("/")  # as consoles mark a folder
        }

    def _read(self, name: str) -> bytes:
        path = self.root / name
        try:
            return stored_bytes(path)
        except FileNotFoundError:
            raise
        except Exception as error:
            raise self._unreachable(str(path), error) from error

    def _unreachable(self, path: str, error: BaseException) -> SelvedgeError:
        error = error.__cause__ or error if isinstance(error, SelvedgeError) else error  # the client's own words
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        if self.file_system is None:
            remedies = {errno.ELOOP: "it is a link to itself", errno.EISDIR: "a file must stand there, not a folder"}
            remedy = remedies.get(getattr(error, "errno", 0), "check its permissions")
            return SelvedgeError(f"{path} cannot be read ({reason}); {remedy}.")
        if isinstance(error, PermissionError) or type(error).__name__ in ("NoCredentialsError", "ClientError"):
            return SelvedgeError(f"{path} cannot be read ({reason}); check the credentials and the bucket's policy.")
        remedy = (
            "check the network and AWS_ENDPOINT_URL" if self.root.protocol == "s3" else "give a folder or s3:// URI"
        )
        return ServiceUnavailable(f"{path} did not answer ({reason}); {remedy}.")


def fetch(file_system: Any, files: Sequence[File], limit: int) -> Iterator[bytes | int | None]:
    """The contents of some files, in order; for a file over `limit` bytes its size instead, unread; None if it is gone
    or cannot be opened (`why_unopened`).

    Local files are read one at a time, as they are asked for. On an object store they come at once, so that a chunk
    costs about one round trip; the caller bounds the chunk's bytes.
    """
    if file_system is None:
        yield from (_read_local(file.path, limit) for file in files)
        return
    sizes = [file.size if file.size is not None else _size(file_system, file) for file in files]
    wanted = [file.path for file, size in zip(files, sizes, strict=True) if size is not None and size <= limit]
    contents = bounded(file_system).cat(wanted, on_error="return", **in_one_piece(file_system)) if wanted else {}
    if isinstance(contents, bytes):  # fsspec unpacks a list of one
        contents = {wanted[0]: contents}
    for file, size in zip(files, sizes, strict=True):
        content = contents.get(file.path)
        if size is not None and size > limit:
            yield size
        elif isinstance(content, bytes) and len(content) == size:
            yield content
        else:  # gone, failed, cut short, or another object by now: alone, and as often as is worth it
            yield _alone(file_system, file, limit)


def _size(file_system: Any, file: File) -> int | None:
    try:
        return asked(file.uri, lambda: size_of(file_system, file.path))
    except FileNotFoundError:
        return None


def _alone(file_system: Any, file: File, limit: int) -> bytes | int | None:
    try:
        content = asked(file.uri, lambda: whole(file_system, file.path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SelvedgeError(
            f"{file.uri} cannot be read ({error.strerror or error}); check the credentials and the bucket's policy."
        ) from error
    return content if len(content) <= limit else len(content)


def _read_local(path: str, limit: int) -> bytes | int | None:
    try:
        with Path(path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            return size if size > limit else file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in ONE_FILES_OWN:
            return None
        raise SelvedgeError(f"{path} cannot be read ({error.strerror}); check its permissions and the disk.") from error


def why_unopened(file: File) -> str:
    """Why `fetch` gave nothing for a file, in a few words."""
    if "://" not in file.uri:
        try:
            Path(file.path).open("rb").close()
        except OSError as error:
            return error.strerror or type(error).__name__
    return "it vanished while the catalogue was read"


def _local_listing(entries: "Iterator[os.DirEntry[str]]") -> Listing:
    there = Listing([], [], [])
    for entry in entries:
        try:
            if entry.is_file():
                there.files.append(File(entry.path, entry.path, None))
            elif entry.is_dir():
                there.folders.append(entry.name)
            elif entry.is_symlink():
                there.dangling.append(entry.name)
        except OSError:  # a link to itself
            there.dangling.append(entry.name)
    return there
