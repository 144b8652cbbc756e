"""The daemon's way: a drop that a person materialises in the page is published without anybody asking further.

The page's own requests are sent to the real web server; the real daemon evaluates the conditions and launches runs.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.drawn import draw_catalogue
from orchestration.assets.partitions import DROPS
from orchestration.jobs.in_process import keys
from orchestration.runtime import services
from orchestration.runtime.instance import open_instance
from orchestration.runtime.settings import Settings
from tests.e2e.dagster_page import Page, wait_for
from tests.orchestration.micro_base import save_micro_base, save_micro_settings
from tests.ports import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1200)]

ROOT = Path(__file__).resolve().parents[2]
DEFINITIONS = "tests.e2e.unreviewed_definitions"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A home in which a demo has made a champion, with everything running over it."""
    folder = tmp_path_factory.mktemp("daemon")
    save_micro_settings(folder / "settings.yaml", save_micro_base(folder / "base"))
    port, page = free_port(), free_port()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.e2e.demo_process", str(folder), str(port)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    settings = Settings(
        home=folder / "home",
        mlflow_port=port,
        dagster_port=page,
        label_studio="off",
        family_settings={"blip2-attributes": folder / "settings.yaml"},
    )
    variables = {
        "SELVEDGE_HOME": str(settings.home),
        "SELVEDGE_MLFLOW_PORT": str(port),
        "SELVEDGE_BLIP2_SETTINGS": str(folder / "settings.yaml"),
        "PYTHONPATH": str(ROOT),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        patch.chdir(ROOT)
        patch.setattr(services, "DEFINITIONS", DEFINITIONS)
        with services.everything(settings, lambda line: None):
            yield settings


def test_a_drop_materialised_in_the_page_is_published(home: Settings, tmp_path: Path) -> None:
    draw_catalogue(tmp_path / "delivery", 20, 5, size=64, workers=1, first_id=80001)
    page = Page(home, DEFINITIONS)
    page.add_drop("from-the-page")
    config = {"ops": {"read_drop": {"config": {"source": str(tmp_path / "delivery")}}}}
    page.materialise(keys("catalog/products", "catalog/quarantine"), "from-the-page", config)
    published = wait_for(home, "inference/descriptions", "from-the-page")
    assert published["rows"] == 20
    attributes = wait_for(home, "inference/attributes", "from-the-page")
    assert attributes["model"] == "models:/blip2-attributes/1"
    pairs = wait_for(home, "catalog/qa_pairs", None, lambda told: "from-the-page" in told["drops"])
    assert pairs["drops"] == ["drawn-1", "drawn-2", "from-the-page"]


def test_a_folder_in_the_inbox_is_published(home: Settings) -> None:
    draw_catalogue(home.home / "inbox" / "from-the-inbox", 12, 6, size=64, workers=1, first_id=90001)
    assert wait_for(home, "inference/descriptions", "from-the-inbox")["rows"] == 12
    with open_instance(home) as instance:
        assert instance.get_dynamic_partitions(DROPS.name or "")[-1] == "from-the-inbox"
