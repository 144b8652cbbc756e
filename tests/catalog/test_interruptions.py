"""Reading that is killed, interrupted or out of disk: nothing half-written looks whole, and the rerun completes."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from catalog.errors import SelvedgeError
from catalog.workspace import TABLES, open_catalogue, read_into
from tests.catalog.shops import encoded, picture, shop, stamped_sha256

pytestmark = pytest.mark.slow

READ = """
import sys
from catalog.errors import SelvedgeError
from catalog.workspace import read_into
if __name__ == "__main__":
    if sys.argv[3] != "unlimited":
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
    try:
        read_into(sys.argv[1], "d1", sys.argv[2], workers=2, progress=lambda *step: print(*step, flush=True))
    except SelvedgeError as error:
        sys.exit(str(error))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue whose images take a while."""
    built = shop(300)
    built.images = {f"{i}.jpg": encoded(picture(i, 450, 600)) for i in range(1, 301)}
    return built.write(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def undisturbed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Content hashes of what an undisturbed reading writes; the table images names its place, so it is left out."""
    out = tmp_path_factory.mktemp("out")
    read_into(folder, "d1", out)
    return hashes(out)


def hashes(out: Path) -> dict[str, str]:
    return {name: stamped_sha256(out / f"{name}.parquet") for name in TABLES if name != "images"}


def start(folder: Path, out: Path, limit: str = "unlimited") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", READ, str(folder), str(out), limit]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(process: subprocess.Popen[str], word: str, done: int) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        number, _, what = line.split()
        if what == word and int(number) >= done:
            return
    pytest.fail(f"reading ended before {word} {done}: {process.stderr.read() if process.stderr else ''}")


@pytest.mark.parametrize(
    ("moment", "done", "how"),
    [
        ("reading", 64, signal.SIGKILL),
        ("standardising", 64, signal.SIGKILL),
        ("standardising", 300, signal.SIGKILL),
        ("reading", 64, signal.SIGINT),
    ],
)
def test_a_reading_cut_short_is_completed_by_the_next(
    folder: Path, undisturbed: dict[str, str], tmp_path: Path, moment: str, done: int, how: signal.Signals
) -> None:
    process = start(folder, tmp_path)
    wait_for(process, moment, done)
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(how)
    process.communicate(timeout=20)
    assert psutil.wait_procs(family, timeout=10)[1] == []
    if process.returncode != 0:  # at the very last moment it may have finished
        with pytest.raises(SelvedgeError, match="no complete catalogue directory"):
            open_catalogue(tmp_path)
    read_into(folder, "d1", tmp_path)
    assert hashes(tmp_path) == undisturbed
    assert open_catalogue(tmp_path).images.num_rows == 300


def test_a_full_disk_is_one_sentence_and_leaves_nothing_half_written(
    folder: Path, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    process = start(folder, tmp_path, limit="20000")  # bytes; the copies are larger
    started = time.monotonic()
    _, said = process.communicate(timeout=60)
    assert process.returncode != 0
    assert said.strip().count("\n") == 0, said
    assert "could not be written" in said
    assert time.monotonic() - started < 60
    assert not list(tmp_path.rglob("*.part"))
    assert not list(tmp_path.rglob("*.parquet"))
    read_into(folder, "d1", tmp_path)
    assert hashes(tmp_path) == undisturbed
