"""Places: whether a file or folder may be written, by whom at once, and the one sentence where it cannot.

Belongs here: the sentences of a disk that refuses, checks before any work, the lock of an output folder, what killed
processes left. Not here: writing (files.py).

Worker processes import this module, so it stays free of pandas and pyarrow.
"""

import contextlib
import errno
import fcntl
import glob
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from catalog.errors import SelvedgeError

LOCAL_PROTOCOLS = ("", "file", "local")
PID_DIGITS = 7  # Linux has at most 2**22 processes

_NO_SPACE = "Free some space and run again."
_NO_PERMISSION = "Make it writable for this user, or choose another place, and run again."
_IN_THE_WAY = "A file stands where a folder is needed, or a folder where a file is; choose another place."
REMEDIES = {
    errno.ENOSPC: _NO_SPACE,
    errno.EDQUOT: _NO_SPACE,
    errno.EFBIG: "This process may write no file as large (`ulimit -f`); raise that limit and run again.",
    errno.EACCES: _NO_PERMISSION,
    errno.EPERM: _NO_PERMISSION,
    errno.EROFS: "That disk can only be read; choose another place and run again.",
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EISDIR: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
    errno.ENOTEMPTY: "Another command wrote there meanwhile; choose another place.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
    errno.EIO: "Check the disk, and run again.",
    errno.ENOMEM: "Free some memory and run again.",
    errno.EMFILE: "Raise the number of files that a process may open (`ulimit -n`) and run again.",
    errno.ENFILE: "Too many files are open on this machine; close programs and run again.",
}
"""What a person does about a refusal of the operating system."""

FULL = (errno.ENOSPC, errno.EDQUOT)
FULL_IN_OTHER_WORDS = ("database or disk is full",)  # SQLite's
# What else SQLite says on a full disk, when its log's index finds no room; a failing disk gets the same words.
SQLITES_DOUBT = "disk I/O error"
LITTLE_ROOM = 256 * 1024  # bytes; SQLite asks for 32 KiB at a time


def remedy_of(error: OSError) -> str:
    """A sentence: what to do about a refusal of the operating system."""
    return REMEDIES.get(error.errno or 0, "See what stands at that place, and run again.")


def errno_in(text: str) -> int:
    """The number of an operating system's answer that a library passes on as text only; 0 where there is none."""
    number = re.search(r"\(os error (\d+)\)", text)
    if number:
        return int(number[1])
    if any(words in text for words in FULL_IN_OTHER_WORDS):
        return errno.ENOSPC
    return next((code for code in REMEDIES if os.strerror(code) in text), 0)


def refused_by_the_machine(error: BaseException) -> OSError | None:
    """The operating system's refusal behind an error, and behind those that it was raised from; None where it is none.

    Libraries have words of their own for a full disk: SQLite, Rust's, torch's, and what a server answers when it met
    one. Only that is looked for in what is no OSError: other refusals read like ordinary messages.
    """
    seen: set[int] = set()
    cause: BaseException | None = error
    explaining = set(REMEDIES)
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, OSError) and cause.errno in explaining:
            return cause
        if (code := errno_in(str(cause))) in FULL:
            return OSError(code, os.strerror(code))
        if SQLITES_DOUBT in str(cause):
            return OSError(errno.ENOSPC, f"{SQLITES_DOUBT}, in SQLite's words for a full disk or a failing one")
        if cause.__cause__ is None:
            explaining = set(FULL)  # what was being handled when a defect of ours turned up does not explain it
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return None


def is_full(path: Path) -> bool:
    """Whether the disk that a file or folder is on, or would be, has next to nothing left."""
    nearest = path.absolute()
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    try:
        status = os.statvfs(nearest)
    except OSError:
        return False
    return status.f_bavail * status.f_frsize < LITTLE_ROOM


def sentence_of(refusal: OSError) -> str:
    """One sentence of an operating system's refusal, with what a person does about it."""
    file = f"{str(refusal.filename)[:200]}: " if refusal.filename else ""
    return f"{file}{refusal.strerror}; nothing was left half-written. {remedy_of(refusal)}"


def not_written(what: object, error: OSError) -> SelvedgeError:
    """The error of a file or folder that was not written: reason and remedy as the operating system's answer has them.

    Args:
        what: a path, or words with a path like "checkpoint DIR".
    """
    return SelvedgeError(
        f"{what} could not be written ({error.strerror or error}); nothing was changed. {remedy_of(error)}"
    )


def check_output_folder(folder: Path) -> None:
    """Refuse a folder that could not be written into, before any work; nothing is made.

    Raises:
        SelvedgeError: a file is in its place or above it, or nothing may be made there.
    """
    _check(folder, folder)


def check_output_file(file: Path) -> None:
    """Refuse a file that could not be written, before any work; nothing is made.

    Raises:
        SelvedgeError: a folder is in its place, a file above it, or nothing may be made there.
    """
    if file.is_dir():
        raise not_written(file, OSError(errno.EISDIR, os.strerror(errno.EISDIR)))
    _check(file, file.parent)


def _check(what: Path, folder: Path) -> None:
    try:
        nearest = folder.expanduser().absolute()
        while not os.path.lexists(nearest) and nearest != nearest.parent:
            nearest = nearest.parent
        nearest.stat()
        if not nearest.is_dir():
            raise OSError(errno.ENOTDIR, f"{nearest} is not a folder")
        if os.statvfs(nearest).f_flag & os.ST_RDONLY:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        if not os.access(nearest, os.W_OK | os.X_OK):
            raise OSError(errno.EACCES, f"{nearest}: {os.strerror(errno.EACCES)}")
    except OSError as error:
        raise not_written(what, error) from error


@contextlib.contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """The folder, made where it is missing, for one writer at a time; what killed writers left in it is removed.

    The lock is on the folder itself, so it leaves no file and ends with its process. A folder that was made here and
    stayed empty is taken away again.

    Raises:
        SelvedgeError: another process writes into it, or it cannot be made.
    """
    check_output_folder(folder)
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise not_written(folder, error) from error
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SelvedgeError(
                f"another command writes into {folder}; let it end, or choose another folder."
            ) from error
        remove_parts(folder)
        yield
    finally:
        if made:
            with contextlib.suppress(OSError):  # it holds something, as it should
                folder.rmdir()
        os.close(held)


def part_of(path: Path) -> Path:
    """A name beside `path` to write under: `.NAME.PID.TOKEN.part`, so that the parts of dead processes are known."""
    return path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")


def remove_parts(folder: Path, name: str | None = None) -> None:
    """Remove the parts that processes which are no more left in a folder.

    Args:
        name: of the file or folder they were to become; all of them by default.
    """
    for part in parts_of_the_dead(folder, name):
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(part) if part.is_dir() and not part.is_symlink() else part.unlink()


def parts_of_the_dead(folder: Path, name: str | None = None, suffix: str = "part") -> list[Path]:
    """Files and folders named by `part_of`, or as one with another suffix, whose process is no more."""
    pattern = f".{'*' if name is None else glob.escape(name)}.*.{suffix}"
    named = [(path, path.name.split(".")[-3]) for path in sorted(folder.glob(pattern))]
    return [path for path, pid in named if pid.isdigit() and len(pid) <= PID_DIGITS and not _runs(int(pid))]


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True
