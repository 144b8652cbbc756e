"""Files: one takes its name when it is whole.

Belongs here: the name to write under, of a file whose writer holds its lock. Not here: what it holds. The rooms have
catalog/files.py, of which this room knows nothing.
"""

import glob
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A new name beside `path` to write under, whose file takes the place of `path` when all went well.

    For who holds the file's lock: what stands under such a name was left by a killed process, and is removed, SQLite's
    journals of it too. The name is new each time: a child of the killed process may still write to the old one.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.part*"):
        left.unlink(missing_ok=True)
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
