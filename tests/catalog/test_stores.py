"""A store that fails is asked again, a bounded number of times; an answer that is not whole is never taken for one."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from upath import UPath

from catalog import stores
from catalog.errors import SelvedgeError, ServiceUnavailable
from catalog.stores import NotWhole, asked, is_there, stored_bytes, whole


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "FIRST_WAIT_SECONDS", 0.0)


def failing(times: int, error: Exception) -> tuple[Callable[[], str], list[int]]:
    calls: list[int] = []

    def ask() -> str:
        calls.append(len(calls))
        if len(calls) <= times:
            raise error
        return "whole"

    return ask, calls


def test_an_answer_that_is_not_whole_is_asked_for_again_and_not_for_ever() -> None:
    ask, calls = failing(stores.TRIES - 1, NotWhole("3 of 9 bytes came"))
    assert asked("s3://shop/a", ask) == "whole" and len(calls) == stores.TRIES
    ask, calls = failing(99, NotWhole("3 of 9 bytes came"))
    with pytest.raises(ServiceUnavailable, match=r"s3://shop/a did not answer \(3 of 9 bytes came\); run again."):
        asked("s3://shop/a", ask)
    assert len(calls) == stores.TRIES


class NoCredentialsError(Exception):
    """Of the name of the client's own, which this room does not import."""


@pytest.mark.parametrize(
    ("error", "raised", "sentence"),
    [
        (OSError(5, "Please try again."), ServiceUnavailable, "did not answer"),  # the client's retries were spent
        (TimeoutError("silence"), ServiceUnavailable, "did not answer"),
        (NoCredentialsError("none"), SelvedgeError, "check the credentials"),
        (PermissionError(13, "Access Denied"), PermissionError, "Access Denied"),
        (FileNotFoundError("no such key"), FileNotFoundError, "no such key"),
    ],
)
def test_what_asking_again_would_not_mend_is_told_at_once(
    error: Exception, raised: type[Exception], sentence: str
) -> None:
    ask, calls = failing(1, error)
    with pytest.raises(raised, match=sentence):
        asked("s3://shop/a", ask)
    assert len(calls) == 1


class Shortening:
    """A file system whose bodies lack their end until the third time."""

    protocol = "memory"

    def __init__(self) -> None:
        self.read = 0

    def info(self, path: str) -> dict[str, int]:
        return {"size": 9}

    def cat_file(self, path: str) -> bytes:
        self.read += 1
        return b"123456789" if self.read > 2 else b"1234"


def test_a_body_that_is_shorter_than_the_store_says_is_noticed() -> None:
    store = Shortening()
    with pytest.raises(NotWhole, match="4 of 9 bytes came"):
        whole(store, "a")
    assert asked("memory://a", lambda: whole(store, "a")) == b"123456789" and store.read == 3


def test_files_on_disk_and_in_a_store_are_read_alike(tmp_path: Path) -> None:
    for path in (UPath(tmp_path / "a"), UPath("memory://test-stores/a")):
        assert not is_there(path)
        with pytest.raises(FileNotFoundError):
            stored_bytes(path)
        path.write_bytes(b"content")
        assert is_there(path) and stored_bytes(str(path)) == b"content"


def test_clients_wait_with_jitter_and_an_operators_settings_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_RETRY_MODE", raising=False)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "9")
    stores.use_retries()
    assert (os.environ["AWS_RETRY_MODE"], os.environ["AWS_MAX_ATTEMPTS"]) == ("standard", "9")
