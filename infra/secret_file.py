"""A secret that a home makes once and keeps in a file which only its owner reads.

Belongs here: reading and making it. Not here: what it opens (proxy/door.py for the browser's token).
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path


def stored_secret(path: Path) -> str:
    """What the file holds; empty when there is none."""
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def ensure_secret(path: Path) -> str:
    """The file's secret, 32 random bytes as text; made where there is none, by one of several who ask at once."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.exists():
        path.chmod(0o600)
        if stored := path.read_text(encoding="ascii", errors="replace").strip():
            return stored
        path.unlink()
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(32) + "\n")
    try:
        with suppress(FileExistsError):  # unlike a rename a link does not replace what another command has just stored
            path.hardlink_to(part)
    finally:
        part.unlink()
    return path.read_text(encoding="ascii").strip()
