"""Fixtures of the whole suite: the real services, each started once for a worker and only when a test asks for it."""

import gc
import hashlib
import os
import signal
from collections.abc import Iterator

import hypothesis
import pytest

from labeling.review.ledger import database
from orchestration.runtime.settings import Settings
from tests.ports import free_port

# Two workers on two cores: libraries that compute on every core would wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Groups that take minutes, the longest first: whatever starts last decides when everything is done.
LONG_GROUPS = ("demo", "label-studio", "tutorials", "review-road", "restgan-demo", "mlflow", "discovery")

LONGEST_NAME = 200  # characters of a value in a test's name

# An example may take long on a busy machine or while lines are counted; a test that hangs is ended by its timeout.
hypothesis.settings.register_profile("selvedge", deadline=None)
hypothesis.settings.load_profile("selvedge")

# Ads of a drop are made where a test is about them: every other graph would pay for them. Also for fixtures of modules.
NO_ADS = ("SELVEDGE_AD_PRODUCTS", "0")
os.environ.update([NO_ADS])

# A job that a shell runs in the background ignores Ctrl-C, and so would every command that a test interrupts.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Groups go to the workers in the order of `pytest_collection_modifyitems`, not those of most tests first."""
    config.option.loadscopereorder = False


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share a fixture of their module go to one worker, which makes it once; what is long begins first."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None and _shares_a_fixture(item):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
    items.sort(key=_turn)


def _shares_a_fixture(item: pytest.Item) -> bool:
    """Whether a fixture that this test uses is made once for a module."""
    if not isinstance(item, pytest.Function):
        return False
    definitions = item._fixtureinfo.name2fixturedefs
    fixtures = [made[-1] for name in item.fixturenames if (made := definitions.get(name))]
    return any(fixture.scope == "module" for fixture in fixtures)


def _turn(item: pytest.Item) -> int:
    """Its place: the long groups, then what is slow, then the rest, which evens out what the workers have to do."""
    group = item.get_closest_marker("xdist_group")
    if group is not None and group.args[0] in LONG_GROUPS:
        return LONG_GROUPS.index(group.args[0])
    slow = any(item.get_closest_marker(name) for name in ("slow", "e2e"))
    return len(LONG_GROUPS) + (not slow)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Modules and collected tests live to the end: looking for garbage among them took a quarter of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _nobody_pulls_the_plug() -> Iterator[None]:
    """Tests kill processes, which lose nothing that they wrote; waiting for the disk is for power cuts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda file: None)
        patch.setattr(database, "SYNCHRONOUS", "OFF")
        yield


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a home whose MLflow server runs. Tests share it: give experiments and families names of their own."""
    from orchestration.runtime.services import tracking_server

    settings = Settings(home=tmp_path_factory.mktemp("services"), mlflow_port=free_port())
    with tracking_server(settings):
        yield settings


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own SELVEDGE_… variables must not decide a test; the photographs' place may."""
    for name in [name for name in os.environ if name.startswith("SELVEDGE_")]:
        if name not in ("SELVEDGE_PHOTOGRAPHS", "SELVEDGE_MODELS"):
            monkeypatch.delenv(name)
    monkeypatch.setenv(*NO_ADS)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """A short name for a long value: a test's name goes to every worker and into the environment of what it starts.

    A value of a megabyte made starting a program fail ("Argument list too long").
    """
    if not isinstance(val, (str, bytes)) or len(val) <= LONGEST_NAME:
        return None
    content = val if isinstance(val, bytes) else val.encode(errors="backslashreplace")
    return f"{argname}-{len(val)}-{hashlib.sha256(content).hexdigest()[:8]}"
