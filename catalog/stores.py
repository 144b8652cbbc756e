"""Stores: how a bucket is asked, how often when it fails, and whether an answer is whole.

Belongs here: the retries of every store in one place, reading a file's bytes wherever it lies. Not here: writing one
(files.py), listings and many files at once (source.py), what the bytes mean.

Three things fail in turn, and each is asked again in one layer only. A request that is refused, throttled or not
answered is the client's own business: `RETRIES`, with a growing, drawn wait. An answer that breaks off, or is shorter
than the store says the object is, or has another checksum, is asked for again here. What is left is
`ServiceUnavailable`, which a step of a run tries again three times, and a command tells.

Worker processes import this module, so it stays free of pandas and pyarrow.
"""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from catalog.errors import SelvedgeError, ServiceUnavailable
from catalog.places import LOCAL_PROTOCOLS

if TYPE_CHECKING:
    from upath import UPath

RETRIES = {"AWS_RETRY_MODE": "standard", "AWS_MAX_ATTEMPTS": "6"}
"""The client's own: exponential waits of up to 20 s with jitter. The environment of an operator wins."""

CONNECTIONS = 2  # times that s3fs begins anew with what its client gave up: a lost connection, silence
TRIES = 5  # of an answer that is not whole
FIRST_WAIT_SECONDS = 0.1
NOT_WHOLE = (
    *("ClientPayloadError", "IncompleteRead", "IncompleteReadError", "FlexibleChecksumError"),
    *("ResponseParserError", "NotWhole"),
)
NO_CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError", "TokenRetrievalError", "ProfileNotFound")
A_FILES_OWN = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)

R = TypeVar("R")


class NotWhole(Exception):
    """An answer that lacks a part of what was asked for."""


def use_retries() -> None:
    """Tell the clients of this process, and of those it starts, how often to ask; an operator's settings stay."""
    for name, value in RETRIES.items():
        os.environ.setdefault(name, value)


def stored_bytes(uri: "str | Path | UPath") -> bytes:
    """The whole content of a file, on disk or in a store.

    Raises:
        OSError: a file on disk cannot be read; or in a store it is not there, or may not be read.
        SelvedgeError: there are no credentials for the store.
        ServiceUnavailable: the store did not answer, or gave no whole answer, however often it was asked.
    """
    from upath import UPath  # serving an artefact that was trained elsewhere needs no paths into stores

    path = UPath(uri)
    if path.protocol in LOCAL_PROTOCOLS:
        return bytes(path.read_bytes())
    return asked(str(path), lambda: whole(path.fs, path.path))


def asked(what: str, ask: Callable[[], R]) -> R:
    """An answer of a store; asked for again while it is not whole.

    Raises:
        OSError, SelvedgeError, ServiceUnavailable: as `stored_bytes`.
    """
    for attempt in range(TRIES):
        try:
            return ask()
        except A_FILES_OWN:
            raise
        except Exception as error:  # each store's client raises its own
            why = " ".join(str(error).split())[:200] or type(error).__name__
            if type(error).__name__ in NO_CREDENTIALS:
                raise SelvedgeError(f"{what} cannot be asked for ({why}); check the credentials.") from error
            if type(error).__name__ not in NOT_WHOLE or attempt == TRIES - 1:
                raise ServiceUnavailable(f"{what} did not answer ({why}); run again.") from error
            time.sleep(random.uniform(0, FIRST_WAIT_SECONDS * 2**attempt))
    raise AssertionError("the last attempt returns or raises")


def is_there(path: "UPath") -> bool:
    """Whether a file is in a store; a store that does not answer does not say no.

    Raises:
        SelvedgeError, ServiceUnavailable: as `stored_bytes`.
    """
    if path.protocol in LOCAL_PROTOCOLS:
        return path.exists()
    try:
        asked(str(path), lambda: size_of(path.fs, path.path))
    except FileNotFoundError:
        return False
    except OSError as error:
        raise SelvedgeError(
            f"{path} cannot be read ({error.strerror or error}); check the credentials and the bucket's policy."
        ) from error
    return True


def bounded(file_system: Any) -> Any:
    """A store's file system that does not multiply its client's retries by its own."""
    if getattr(file_system, "retries", None) is not None:
        file_system.retries = CONNECTIONS
    return file_system


def whole(file_system: Any, path: str) -> bytes:
    """One file of a store's file system, in one piece: of parts, none has a checksum or is asked for again.

    Raises:
        NotWhole: it is shorter or longer than the store says. What else is raised is the client's own.
    """
    size = size_of(file_system, path)
    content = bytes(bounded(file_system).cat_file(path, **in_one_piece(file_system)))
    if size is not None and len(content) != size:
        raise NotWhole(f"{len(content)} of {size} bytes came")
    return content


def size_of(file_system: Any, path: str) -> int | None:
    """Bytes of a file as the store says now; None where it says nothing. Raises what the client does."""
    anew = {"refresh": True} if _is_s3(file_system) else {}  # a size that was listed before is of the object of then
    size: int | None = bounded(file_system).info(path, **anew).get("size")
    return size


def in_one_piece(file_system: Any) -> dict[str, int]:
    """Options of a file system's `cat` that keep a body together."""
    return {"max_concurrency": 1} if _is_s3(file_system) else {}


def _is_s3(file_system: Any) -> bool:
    return "s3" in (file_system.protocol if isinstance(file_system.protocol, tuple) else (file_system.protocol,))
