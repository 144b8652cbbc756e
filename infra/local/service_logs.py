"""Logs of services: kept within a bound, and quoted in one sentence when a service ended.

Belongs here: rotating a log that a running process writes into, and its last error. Not here: processes (services.py).
"""

import re
import shutil
from pathlib import Path

LOG_LIMIT_BYTES = 20 * 1024 * 1024
TAIL_BYTES = 64 * 1024
QUOTED_CHARACTERS = 200
_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]|[\x00-\x08\x0b-\x1f\x7f]"
)
_ERROR = re.compile(r"\b(?:ERROR|CRITICAL|FATAL|Fatal|fatal)\b|\b\w*(?:Error|Exception)\b(?=:|$)|\bError:|\berror:")


def rotate(log: Path, limit_bytes: int | None = None) -> bool:
    """Keep what a log holds beyond the limit as `NAME.old.log` and begin anew; True when it did.

    The file is copied and emptied, not renamed: the service goes on writing at the end of the file it has open. On a
    full disk it is emptied all the same, and what an earlier copy held is given up: the bound is what keeps the room.
    """
    limit = LOG_LIMIT_BYTES if limit_bytes is None else limit_bytes
    if not log.exists() or log.stat().st_size <= limit:
        return False
    old = log.with_suffix(".old.log")
    try:
        shutil.copyfile(log, old)
    except OSError:
        old.unlink(missing_ok=True)  # half of a log
    with log.open("r+b") as file:
        file.truncate(0)
    return True


def ending(log: Path, begin: int = 0, only_errors: bool = False) -> str:
    """'the last error in its log FILE: “…”.', for the sentence of an error; the last line where none is an error.

    Args:
        begin: bytes that were there before this start; what an earlier one wrote explains nothing.
        only_errors: of a service that was killed: its last line is no reason.
    """
    lines = _lines(log, begin)
    error = next((line for line in reversed(lines) if _ERROR.search(line)), None)
    if error is not None:
        return f"the last error in its log {log}: “{error[:QUOTED_CHARACTERS]}”."
    if only_errors:
        return f"its log {log} names no error."
    return f"its log {log} ends “{lines[-1][:QUOTED_CHARACTERS]}”." if lines else f"its log {log} is empty."


def _lines(log: Path, begin: int) -> list[str]:
    """The last lines since `begin`, without colours and blanks."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(begin if begin <= size else 0, size - TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line for raw in text.splitlines() if (line := _ESCAPES.sub("", raw).strip())]
