"""Logs of services: how large one may be, and what is quoted of it when a service ended.

Belongs here: the bound, and the last error of a log. Not here: writing one (log_writer.py), processes (services.py).
"""

import re
from pathlib import Path

LOG_LIMIT_BYTES = 20 * 1024 * 1024
TAIL_BYTES = 64 * 1024
QUOTED_CHARACTERS = 200
_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]|[\x00-\x08\x0b-\x1f\x7f]"
)
_ERROR = re.compile(r"\b(?:ERROR|CRITICAL|FATAL|Fatal|fatal)\b|\b\w*(?:Error|Exception)\b(?=:|$)|\bError:|\berror:")


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
