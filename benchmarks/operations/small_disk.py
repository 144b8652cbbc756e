"""A small real file system, which can be filled to within a number of bytes.

Belongs here: making it (an ext4 image on a loop device, or a tmpfs where there is none), filling it, what on it is not
whole. Not here: what writes on it (full_disk.py).
"""

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

BLOCK = 4096
POLL_SECONDS = 0.02


class NoMount(Exception):
    """This machine mounts nothing for us; the reason."""


class SmallDisk:
    """A mounted file system.

    Attributes:
        root: where it is mounted. kind: `ext4` or `tmpfs`.
    """

    def __init__(self, root: Path, kind: str) -> None:
        self.root, self.kind = root, kind
        self._ballast = root / "ballast"

    def free(self) -> int:
        """Bytes that can be written."""
        status = os.statvfs(self.root)
        return status.f_bavail * status.f_frsize

    def leave(self, left: int) -> None:
        """Fill it until this many bytes, or up to a block fewer, can be written."""
        with contextlib.suppress(OSError), self._ballast.open("wb", buffering=0) as file:  # full sooner than it says
            while (more := self.free() - left) > 0:
                before = file.tell()
                file.write(b"\0" * (max(more // 2 // BLOCK, 1) * BLOCK))
                os.fsync(file.fileno())
                if file.tell() == before:
                    break

    def make_room(self) -> None:
        """Take away what `leave` wrote."""
        self._ballast.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove everything on it."""
        for entry in self.root.iterdir():
            if entry.name != "lost+found":
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()

    @contextlib.contextmanager
    def measured(self) -> Iterator[list[int]]:
        """The most bytes that the block used at any moment beyond what was used before it, as the list's one entry."""
        before, most, ended = self.free(), [0], threading.Event()

        def look() -> None:
            while not ended.wait(POLL_SECONDS):
                most[0] = max(most[0], before - self.free())

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield most
        finally:
            ended.set()
            thread.join()
            most[0] = max(most[0], before - self.free())


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[SmallDisk]:
    """A file system of so many bytes, mounted at `disk` in a folder until the block ends.

    Raises:
        NoMount: nothing may be mounted here.
    """
    image, root = folder / "disk.ext4", folder / "disk"
    root.mkdir()
    with image.open("wb") as file:
        file.truncate(size)
    # Nothing is kept back for root, or these tests, which may run as root, would find more room than anybody else.
    made = _ran("mkfs.ext4", "-q", "-m", "0", "-F", str(image)) or _ran("mount", "-o", "loop", str(image), str(root))
    kind = "ext4"
    if made:
        kind = "tmpfs"
        if why := _ran("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(root)):
            raise NoMount(f"neither an image ({made}) nor a tmpfs ({why}) can be mounted here")
    try:
        yield SmallDisk(root, kind)
    finally:
        _ran("umount", "-l", str(root))
        image.unlink()
        root.rmdir()


def _ran(*command: str) -> str:
    """Why a command failed; "" where it did not."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return (done.stderr.strip() or f"{command[0]} ended with {done.returncode}") if done.returncode else ""


def half_written(root: Path) -> list[str]:
    """Files that are there and not whole: tables that do not open, JSON that ends early, databases that are damaged."""
    from catalog.errors import SelvedgeError
    from catalog.tables import read_table

    readers: dict[str, Callable[[Path], object]] = {
        ".parquet": read_table,
        ".json": lambda path: json.loads(path.read_bytes()),
        ".safetensors": _weights,
        ".db": _sound,
        ".png": _picture,
        ".jpg": _picture,
        ".tar": lambda path: path.stat(),
    }
    wrong = []
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        # A killed writer's parts, and a drawn catalogue, in which faults are planted.
        hidden = any(part.endswith(".part") or part.startswith(".") or part == "drawn" for part in parts)
        reader = readers.get(path.suffix)
        if reader is None or hidden or not path.is_file() or "mlflow/artifacts" in str(path):
            continue
        try:
            reader(path)
        except (SelvedgeError, ValueError, OSError, sqlite3.Error) as error:
            wrong.append(f"{path.relative_to(root)} is not whole: {error}")
    return wrong


def _weights(path: Path) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as held:
            list(held.keys())
    except SafetensorError as error:
        raise ValueError(str(error)) from error


def _sound(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database:
        (answer,) = database.execute("PRAGMA quick_check").fetchone()
    if answer != "ok":
        raise ValueError(answer)


def _picture(path: Path) -> None:
    from PIL import Image

    with Image.open(path) as picture:
        picture.load()
