"""A place that cannot be written is one sentence with the right remedy, before any work."""

import errno
import os
import sqlite3
from pathlib import Path

import pytest

from catalog import places
from catalog.errors import SelvedgeError
from catalog.files import publish_bytes, whole_folder
from catalog.places import (
    check_output_file,
    check_output_folder,
    locked_folder,
    not_written,
    refused_by_the_machine,
    sentence_of,
)


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "Free some space"),
        (errno.EDQUOT, "Free some space"),
        (errno.EACCES, "Make it writable"),
        (errno.EROFS, "can only be read"),
        (errno.ENOTDIR, "file stands where a folder"),
        (errno.EFBIG, "ulimit"),
        (errno.EIO, "Check the disk"),
        (errno.EBUSY, "See what stands at that place"),
    ],
)
def test_only_a_full_disk_is_told_to_be_emptied(number: int, remedy: str) -> None:
    sentence = str(not_written("words.txt", OSError(number, os.strerror(number))))
    assert remedy in sentence
    assert os.strerror(number) in sentence
    assert ("space" in remedy) == ("some space" in sentence)


def test_a_file_in_the_way_is_found_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("in the way")
    for check in (check_output_folder, check_output_file):
        with pytest.raises(SelvedgeError, match="A file stands where a folder is needed"):
            check(tmp_path / "x" / "y" / "z")
    with pytest.raises(SelvedgeError, match=r"x could not be written .*A file stands where a folder is needed"):
        check_output_folder(tmp_path / "x")
    with pytest.raises(SelvedgeError, match="A file stands where a folder is needed"):
        check_output_file(tmp_path)
    check_output_file(tmp_path / "x")
    check_output_folder(tmp_path / "new" / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_folder_that_may_not_be_written_is_found_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places.os, "access", lambda *_: False)  # the tests' user may be root
    with pytest.raises(SelvedgeError, match=r"Permission denied\).*Make it writable"):
        check_output_folder(tmp_path / "new")


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs a place that can only be read")
def test_a_disk_that_can_only_be_read_is_no_matter_of_space(tmp_path: Path) -> None:
    with pytest.raises(SelvedgeError) as refusal:
        publish_bytes(b"words", "/proc/new/words.txt")
    assert "space" not in str(refusal.value)


def test_a_locked_folder_that_stayed_empty_is_taken_away(tmp_path: Path) -> None:
    with locked_folder(tmp_path / "a" / "b"):
        pass
    assert not (tmp_path / "a" / "b").exists()
    with locked_folder(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "file").write_text("kept")
    assert (tmp_path / "a" / "b" / "file").exists()


def test_a_folder_set_aside_by_a_dead_process_is_put_back(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    (tmp_path / ".run.4194304.0a.old").mkdir()  # one more than Linux has processes
    (tmp_path / ".run.4194304.0a.old" / "file").write_text("old")
    with pytest.raises(RuntimeError), whole_folder(folder):
        raise RuntimeError
    assert (folder / "file").read_text() == "old"


def test_a_new_folder_never_takes_the_place_of_one_that_holds_something(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with pytest.raises(OSError, match="not empty"), whole_folder(folder, replacing=False) as part:
        (part / "file").write_text("second")
        folder.mkdir()
        (folder / "file").write_text("first")
    assert (folder / "file").read_text() == "first"
    assert list(tmp_path.iterdir()) == [folder]


def raised_from(cause: BaseException) -> BaseException:
    try:
        raise RuntimeError("the step failed") from cause
    except RuntimeError as error:
        return error


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "tables/may.parquet"),
        OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)),
        sqlite3.OperationalError("database or disk is full"),
        sqlite3.OperationalError("disk I/O error"),  # where the index of its log finds no room
        RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),  # safetensors
        OSError("lance error: LanceError(IO): No space left on device"),  # without a number
        raised_from(sqlite3.OperationalError("database or disk is full")),
    ],
)
def test_a_full_disk_is_recognised_in_the_words_of_any_library(error: BaseException) -> None:
    refusal = refused_by_the_machine(error)
    assert refusal is not None and refusal.errno in (errno.ENOSPC, errno.EDQUOT)
    assert "nothing was left half-written. Free some space and run again." in sentence_of(refusal)


def test_what_was_being_handled_explains_no_defect() -> None:
    try:
        try:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        except OSError:
            {}["a defect"]
    except KeyError as error:
        assert refused_by_the_machine(error) is None


def test_what_is_no_refusal_of_the_machine_is_none() -> None:
    for error in (KeyError("File exists"), RuntimeError("Permission denied"), ValueError("Is a directory")):
        assert refused_by_the_machine(error) is None
