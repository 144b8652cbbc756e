"""Fixtures of the tests that start real services."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.environments import NotInstalled
from infra.local.services import ensure
from infra.proxy.door import ensure_token
from orchestration.families.settings import load_settings
from orchestration.runtime.doors import behind, proxies
from orchestration.runtime.settings import Settings
from tests.e2e.databases import begin_home
from tests.e2e.demo_runs import undisturbed_demo
from tests.e2e.label_studio_home import ENVIRONMENTS, LabelStudioHome
from tests.orchestration.micro_base import save_micro_base, save_micro_settings
from tests.orchestration.trained_model import TrainedModel, train_small_model
from tests.ports import free_port


@pytest.fixture(scope="session")
def label_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabelStudioHome]:
    """A running Label Studio. Tests that use it belong to the xdist group `label-studio`, so that it starts once."""
    home = LabelStudioHome(tmp_path_factory.mktemp("label-studio"), free_port())
    try:
        home.start()
    except NotInstalled as reason:
        pytest.skip(str(reason))
    yield home
    home.stop()


@pytest.fixture(scope="module")
def door(label_studio: LabelStudioHome) -> Iterator[str]:
    """The address of the proxy that `up` puts before the server."""
    settings = Settings(home=label_studio.folder, label_studio_port=free_port())
    ensure_token(settings.secrets)
    running = ensure(next(one for one in proxies(settings, behind(settings)) if one.name == "label-studio-proxy"))
    yield f"http://127.0.0.1:{settings.label_studio_port}"
    running.stop()


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    """A candidate that answers at random, and the catalogue it was trained on."""
    return train_small_model(tmp_path_factory.mktemp("trained"), products=160)


@pytest.fixture
def home(label_studio: LabelStudioHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a home whose Label Studio is the session's, with a ledger of its own."""
    monkeypatch.setenv("SELVEDGE_HOME", str(label_studio.folder))
    monkeypatch.setenv("SELVEDGE_LABEL_STUDIO_PORT", str(label_studio.port))
    monkeypatch.setenv("SELVEDGE_LABEL_STUDIO_ENVIRONMENTS", str(ENVIRONMENTS))
    monkeypatch.setenv("SELVEDGE_LEDGER", f"sqlite:///{tmp_path / 'ledger.db'}")
    (label_studio.folder / "ledger.head").unlink(missing_ok=True)  # of the ledger of another test
    return load_settings()


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all demos of the xdist group `demo`, because tables name the pictures' places."""
    folder = tmp_path_factory.mktemp("demo")
    save_micro_settings(folder / "settings.yaml", save_micro_base(folder / "base"))
    begin_home(folder / "home")
    return folder


@pytest.fixture(scope="session")
def undisturbed(demo_folder: Path) -> dict[str, str]:
    """Hashes of the tables of a demo that nobody disturbed; its home stands until a test takes it over."""
    return undisturbed_demo(demo_folder)
