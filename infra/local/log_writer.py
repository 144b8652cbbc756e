"""Log writer: what a service prints, into one file that stays below a size, with as much again in the one before.

Belongs here: reading a pipe to its end. Not here: which service prints into it (services.py), quoting a log
(service_logs.py).

A process of its own beside each service, run without site packages: no line is lost while files change places, as it
is where a file is copied and emptied under a service that writes; and what a killed command leaves can still print. It
ends when the last process that may print has ended. On a full disk it goes on reading and drops what cannot be written:
a service must not stop for its log.

    python -I -S log_writer.py LOG LIMIT_BYTES < PIPE
"""

import contextlib
import os
import signal
import sys

CHUNK_BYTES = 64 * 1024


def main(log: str, limit: int) -> None:
    """Write stdin into `log`, which stays below `limit` bytes; what is older stands in `….old.log`, as much again."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # its service is told, and prints how it ends
    file, at_once = _opened(log), min(CHUNK_BYTES, limit // 16 + 1)
    while chunk := os.read(0, at_once):
        with contextlib.suppress(OSError):
            size = os.fstat(file).st_size
            if size and size + len(chunk) > limit:
                end = chunk.find(b"\n") + 1  # the rest of a line that has begun still belongs to it
                if size + end <= limit:
                    _write(file, chunk[:end])
                    chunk = chunk[end:]
                file = _begun_anew(log, file)
            _write(file, chunk)


def _begun_anew(log: str, file: int) -> int:
    with contextlib.suppress(FileNotFoundError):  # somebody removed it
        os.replace(log, f"{log.removesuffix('.log')}.old.log")  # noqa: PTH105 (pathlib takes as long as all the rest)
    following = _opened(log)
    os.close(file)
    return following


def _opened(log: str) -> int:
    return os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def _write(file: int, content: bytes) -> None:
    while content:
        content = content[os.write(file, content) :]


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
