"""Where a catalogue lies: a local folder or a bucket, behind the few operations that reading needs.

Belongs here: listing folders, fetching files, one clear sentence when the place does not answer.
Not here: what the files mean.

Product ids never become paths: a file is opened only if its name was found in a listing of `images/` or `styles/`.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from upath import UPath

from catalog.errors import SelvedgeError, ServiceUnavailable


class File(NamedTuple):
    """A file found in a listing."""

    path: str  # as the file system takes it
    uri: str  # as a table records it
    size: int | None  # bytes; None where a listing does not say (local folders)


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
        if local and not Path(self.root.path).is_dir():
            raise SelvedgeError(f"there is no catalogue at {root}; give a folder or s3:// URI that holds styles.csv.")

    def read(self, name: str) -> bytes | None:
        """The bytes of a file directly under the root; None if it is not there."""
        path = self.root / name
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except Exception as error:
            raise self._unreachable(str(path), error) from error

    def files(self, folder: str, suffixes: Sequence[str]) -> dict[str, File]:
        """Files of one folder by stem; of two with one stem, the one whose suffix comes first. Empty if no folder."""
        by_stem: dict[str, tuple[int, File]] = {}
        for file in self._entries(folder):
            stem, dot, suffix = file.path.rpartition("/")[2].rpartition(".")
            rank = suffixes.index(suffix.lower()) if dot and suffix.lower() in suffixes else -1
            if rank >= 0 and (stem not in by_stem or rank < by_stem[stem][0]):
                by_stem[stem] = (rank, file)
        return {stem: file for stem, (_, file) in by_stem.items()}

    def _entries(self, folder: str) -> list[File]:
        directory = self.root / folder
        try:
            if self.file_system is None:
                with os.scandir(directory.path) as entries:
                    return [File(entry.path, entry.path, None) for entry in entries if entry.is_file()]
            protocol = self.root.protocol
            return [
                File(info["name"], f"{protocol}://{info['name']}", info.get("size"))
                for info in self.file_system.ls(directory.path, detail=True)
                if info["type"] == "file"
            ]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except Exception as error:
            raise self._unreachable(str(directory), error) from error

    def _unreachable(self, path: str, error: Exception) -> SelvedgeError:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        if self.file_system is None:
            return SelvedgeError(f"{path} cannot be read ({reason}); check its permissions.")
        if isinstance(error, PermissionError) or type(error).__name__ in ("NoCredentialsError", "ClientError"):
            return SelvedgeError(f"{path} cannot be read ({reason}); check the credentials and the bucket's policy.")
        return ServiceUnavailable(f"{path} did not answer ({reason}); check the network and AWS_ENDPOINT_URL.")


def fetch(file_system: Any, files: Sequence[File], limit: int) -> Iterator[bytes | int | None]:
    """The contents of some files, in order; for a file over `limit` bytes its size instead, unread; None if it is gone.

    Local files are read one at a time, as they are asked for. On an object store they come at once, so that a chunk
    costs about one round trip; the caller bounds the chunk's bytes.
    """
    if file_system is None:
        yield from (_read_local(file.path, limit) for file in files)
        return
    sizes = [file.size if file.size is not None else file_system.size(file.path) for file in files]
    wanted = [file.path for file, size in zip(files, sizes, strict=True) if size <= limit]
    contents = file_system.cat(wanted, on_error="return") if wanted else {}
    if isinstance(contents, bytes):  # fsspec unpacks a list of one
        contents = {wanted[0]: contents}
    for file, size in zip(files, sizes, strict=True):
        content = contents.get(file.path)
        if isinstance(content, Exception) and not isinstance(content, FileNotFoundError):
            raise ServiceUnavailable(f"{file.uri} did not answer ({content}); run again.") from content
        yield size if size > limit else content if isinstance(content, bytes) else None


def _read_local(path: str, limit: int) -> bytes | int | None:
    try:
        with Path(path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            return size if size > limit else file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SelvedgeError(f"{path} cannot be read ({error.strerror}); check its permissions and the disk.") from error
