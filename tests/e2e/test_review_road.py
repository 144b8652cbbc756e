"""The whole way from a delivery to a champion that people preferred, through the real daemon and a real Label Studio.

Nothing is called but what people do: a folder is put into the inbox, the training job is launched in Dagster's page,
annotators vote. Everything else the daemon's sensors and conditions ask for.
"""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import dagster as dg
import pytest

from catalog.drawn import draw_catalogue
from labeling.review.rounds.annotators import ScriptedAnnotator
from labeling.review.rounds.scripted import vote
from orchestration.assets.failures import SENTENCE_TAG
from orchestration.assets.partitions import candidate_partitions
from orchestration.families.blip2_attributes.declaration import BLIP2_ATTRIBUTES, NAME
from orchestration.families.settings import load_settings
from orchestration.registry.ledger import open_ledger
from orchestration.registry.promotion import history
from orchestration.registry.registry import Registry
from orchestration.runtime import services
from orchestration.runtime.instance import open_instance
from orchestration.runtime.label_studio import account_of, connect
from orchestration.runtime.settings import Settings
from tests.e2e.dagster_page import PATIENCE_SECONDS, Page, wait_for
from tests.e2e.databases import begin_home
from tests.e2e.label_studio_home import ENVIRONMENTS
from tests.orchestration.micro_base import save_micro_base, save_micro_settings
from tests.ports import free_port

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.xdist_group("review-road"),
    pytest.mark.timeout(1500),
]

ROOT = Path(__file__).resolve().parents[2]
DEFINITIONS = "tests.e2e.lenient_definitions"
PRODUCTS, ITEMS = 300, 20  # no fewer products are a quorum


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """An empty home with every service running, and a delivery on its way."""
    save_micro_settings(tmp_path / "settings.yaml", save_micro_base(tmp_path / "base"))
    variables = {
        "HOME": begin_home(tmp_path / "home"),
        "MLFLOW_PORT": free_port(),
        "DAGSTER_PORT": free_port(),
        "LABEL_STUDIO_PORT": free_port(),
        "LABEL_STUDIO_ENVIRONMENTS": ENVIRONMENTS,
        "BLIP2_SETTINGS": tmp_path / "settings.yaml",
        "CNN_SECONDS": 0,
        "THREADS": 1,
        "REVIEW_ITEMS": ITEMS,
        "SIMULATED_BALLOTS": "true",
    }
    for name, value in variables.items():
        monkeypatch.setenv(f"SELVEDGE_{name}", str(value))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(services, "DEFINITIONS", DEFINITIONS)
    settings = load_settings()
    draw_catalogue(tmp_path / "home" / "inbox" / "delivery", PRODUCTS, 5, size=64, workers=1)
    with open_instance(settings):
        pass  # its folder and configuration, which the services find
    with services.everything(settings, lambda line: None):
        yield settings


def test_from_a_delivery_to_a_champion_that_people_preferred(home: Settings) -> None:
    page = Page(home, DEFINITIONS)
    wait_for(home, "catalog/qa_pairs", None)
    page.launch(BLIP2_ATTRIBUTES.training_job)
    candidate = opened_candidate(home)
    opened = wait_for(home, "/".join(BLIP2_ATTRIBUTES.round.path), candidate)
    assert opened["against"].startswith("base ")

    too_early = page.materialise([BLIP2_ATTRIBUTES.promotion], candidate)
    assert "evidence of kind verdict is missing" in failure_of(home, too_early)
    assert Registry(home).champion(NAME) is None

    ledger = open_ledger(home)
    people = [ScriptedAnnotator(name, 1, preference=0.97, ties=0.02) for name in ("ada", "ben", "cleo", "dan", "eva")]
    voted = vote(partial(account_of, home, connect(home)), ledger, opened["round"], people)
    assert voted.total == opened["pairs"] * opened["ballots asked for each"]

    verdict = wait_for(home, "/".join(BLIP2_ATTRIBUTES.verdict.path), candidate, expected_failures=[too_early])
    assert (verdict["outcome"], verdict["simulated"]) == ("preferred", True), verdict["why"]
    assert Path(verdict["report"]).stat().st_size > 50_000
    promoted = wait_for(home, "/".join(BLIP2_ATTRIBUTES.promotion.path), candidate, expected_failures=[too_early])
    assert promoted["version"] == 1 and promoted["simulated"]
    described = wait_for(home, "inference/descriptions", "delivery", expected_failures=[too_early])
    assert described["rows"] == PRODUCTS

    registry = Registry(home)
    (record,) = history(registry, NAME)
    assert record.simulated and record.evidence[f"round:{opened['round']}"] == verdict["verdict_sha256"]
    assert dict(registry.aliases(NAME)) == {"champion": 1}
    with open_instance(home) as instance:
        key = BLIP2_ATTRIBUTES.promotion
        made = instance.fetch_materializations(dg.AssetRecordsFilter(asset_key=key), limit=5).records
        assert len(made) == 1


def opened_candidate(home: Settings) -> str:
    """The candidate that the training job's success opens."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    with open_instance(home) as instance:
        while time.monotonic() < deadline:
            if found := instance.get_dynamic_partitions(candidate_partitions(NAME).name or ""):
                return str(found[0])
            assert not [run.tags for run in instance.get_runs(limit=20) if run.is_failure]
            time.sleep(1.0)
    raise AssertionError("no candidate was opened")


def failure_of(home: Settings, run_id: str) -> str:
    """The sentence of a run that must fail."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    with open_instance(home) as instance:
        while time.monotonic() < deadline:
            run = instance.get_run_by_id(run_id)
            if run is not None and run.is_finished:
                assert run.is_failure, run.status
                return run.tags[SENTENCE_TAG]
            time.sleep(0.5)
    raise AssertionError(f"run {run_id} did not end within {PATIENCE_SECONDS} s; see {home.logs}")
