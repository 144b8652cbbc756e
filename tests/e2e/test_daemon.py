"""The daemon's way: a drop that a person materialises in the page is published without anybody asking further.

The page's own requests are sent to the real web server; the real daemon evaluates the conditions and launches runs.
"""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from catalog.drawn import draw_catalogue
from orchestration.assets.partitions import DROPS
from orchestration.assets.published import materialised
from orchestration.jobs.backfill import plan_backfill
from orchestration.jobs.backfill_runs import ask_daemon, follow
from orchestration.jobs.in_process import InProcess, keys
from orchestration.runtime import services
from orchestration.runtime.instance import open_instance
from orchestration.runtime.recovery import owner_of
from orchestration.runtime.settings import Settings
from tests.e2e.brisk import brisk_defs
from tests.e2e.dagster_page import PATIENCE_SECONDS, Page, wait_for
from tests.e2e.demo_process import LENIENT
from tests.e2e.demo_runs import port_of
from tests.ports import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.xdist_group("demo"), pytest.mark.timeout(1500)]

ROOT = Path(__file__).resolve().parents[2]
DEFINITIONS = "tests.e2e.unreviewed_definitions"


@pytest.fixture(scope="module")
def home(demo_folder: Path, undisturbed: dict[str, str]) -> Iterator[Settings]:
    """The home in which the undisturbed demo has made a champion, with everything running over it."""
    port, page = port_of(demo_folder), free_port()
    settings = Settings(
        home=demo_folder / "home",
        mlflow_port=port,
        dagster_port=page,
        label_studio="off",
        family_settings={"blip2-attributes": demo_folder / "settings.yaml"},
    )
    variables = {
        "SELVEDGE_HOME": str(settings.home),
        "SELVEDGE_MLFLOW_PORT": str(port),
        "SELVEDGE_BLIP2_SETTINGS": str(demo_folder / "settings.yaml"),
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
    pairs = wait_for(home, "catalog/qa_pairs", None, lambda metadata: "from-the-page" in metadata["drops"])
    assert pairs["drops"] == ["drawn-1", "drawn-2", "from-the-page"]


def test_a_folder_in_the_inbox_is_published(home: Settings) -> None:
    draw_catalogue(home.home / "inbox" / "from-the-inbox", 12, 6, size=64, workers=1, first_id=90001)
    assert wait_for(home, "inference/descriptions", "from-the-inbox")["rows"] == 12
    with open_instance(home) as instance:
        assert instance.get_dynamic_partitions(DROPS.name or "")[-1] == "from-the-inbox"


def kill_worker(instance: dg.DagsterInstance, backfill: str) -> None:
    """SIGKILL for the process of a backfill's first run, once it has begun."""
    query = dg.RunsFilter(tags={"dagster/backfill": backfill}, statuses=[dg.DagsterRunStatus.STARTED])
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (started := instance.get_runs(query)) == [] or (owner := owner_of(instance, started[0])) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(owner.pid, signal.SIGKILL)


def test_a_backfill_is_carried_out_by_the_daemon_by_the_champion_of_its_moment(home: Settings) -> None:
    drop, texts = "from-the-page", "inference/descriptions"
    with open_instance(home) as instance:
        graph = InProcess(brisk_defs(families=[LENIENT]), instance)
        before = materialised(instance, texts, drop)
        plan = plan_backfill(graph, [drop], everything=True)
        asked = ask_daemon(graph, home, lambda: plan, limit=1)
        assert asked is not None
        kill_worker(instance, asked)
        carried = follow(graph, home, asked, plan.products, lambda done, total, what: None)
        assert (carried.made, carried.failed, carried.cancelled) == ((drop,), {}, False)
        made = materialised(instance, texts, drop)
        assert before is not None and made is not None and made["sha256"] == before["sha256"]
        runs = instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": asked}))
        assert {run.tags["dagster/partition"] for run in runs} == {drop}
        assert [run.status.value for run in runs] == ["SUCCESS", "FAILURE"], "one run a drop, and one more for the kill"
        assert plan_backfill(graph, [drop]).work == {}
