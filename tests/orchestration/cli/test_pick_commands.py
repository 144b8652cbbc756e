"""`selvedge review picks`: from a drop's ads to published pictures and orders; each refusal is one sentence."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from catalog.tables import write_table
from inference.tables import AD_IMAGES
from labeling.review.label_studio.records import Annotation
from orchestration.assets.published import Tables
from orchestration.cli.main import run
from orchestration.jobs.picks import requests_of, rework_order
from orchestration.registry.ledger import open_ledger
from orchestration.runtime import label_studio as server
from orchestration.runtime.settings import Settings
from tests.labeling.review.rounds.paper_studio import PaperStudio

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
ANN = "ann@shop.example"


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PaperStudio:
    """A home with the ads of drop `may`: two requests, three pictures and one."""
    monkeypatch.setenv("SELVEDGE_HOME", str(tmp_path / "home"))
    settings = Settings(home=tmp_path / "home")
    rows = []
    for product, pictures in ((10001, 3), (10002, 1)):
        for rank in range(pictures, 0, -1):
            file = settings.home / "objects" / "ads" / f"may-{product}-beach" / "ab12" / f"{rank}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (24, 24), (product % 200, 40 * rank, 0)).save(file)
            row: dict[str, Any] = dict.fromkeys(AD_IMAGES.names, "") | {"seed": 0, "score": 0.0}
            sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
            rows.append(row | {"drop": "may", "product_id": product, "rank": rank, "uri": str(file), "sha256": sha256})
    path = Tables(root=str(settings.tables())).path("inference/ad_images", "may")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(pd.DataFrame(rows, columns=AD_IMAGES.names), path, "ad_images")
    open_ledger(settings).record.list_annotator(ANN, 1, "added")
    paper = PaperStudio()
    monkeypatch.setattr(server, "connect", lambda settings: paper)
    return paper


def test_a_drops_ads_are_picked_from_published_and_reordered(
    studio: PaperStudio, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def printed(*arguments: str) -> dict[str, Any]:
        assert run(["review", "picks", *arguments, "--json"]) == 0
        return dict(json.loads(capsys.readouterr().out))

    opened = printed("open", "may")
    assert (opened["requests"], opened["resumed"]) == (2, False)
    settings = Settings(home=tmp_path / "home")
    first, second = sorted(requests_of(settings, "may"), key=lambda request: request.request)
    assert (first.request, len(first.pictures), len(second.pictures)) == ("may-10001-beach/ab12", 3, 1)
    assert Path(first.pictures[0].uri).name == "1.png"
    tasks = open_ledger(settings).picks.tasks(opened["round"])
    key, task = next((key, task) for key, task in tasks.items() if task.product_id == 10001)
    studio.held[1] = [
        Annotation(
            1, 1, key, 1, ANN, None, ("2",), (), 3.0, NOON, NOON, False, "too small. I want leaves on the ground"
        )
    ]
    brought = printed("sync", opened["round"])
    assert (brought["new"], brought["rework"], brought["published"], brought["void"]) == (1, 1, 1, [])
    state = printed("status", opened["round"])
    (row,) = state["rounds"]
    assert (row["requests"], row["answered"], row["picks"], row["simulated"]) == (2, 1, 1, 0)
    (picture,) = state["published"]
    assert (picture["product"], picture["sha256"], picture["simulated"]) == (10001, task.shown[1].sha256, False)
    (order,) = state["rework"]
    assert order["product"] == 10001 and "composition" in order["stages"] and "caption" in order["stages"]
    assert printed("status")["published"] is None
    assert run(["review", "picks", "status", opened["round"]]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("1 of 2 requests answered; 1 answers of people, of which 0 none of these; 0 simulated")
    assert lines[1].startswith("published  10001  by people: 1  ") and lines[1].endswith(picture["picture"])
    assert lines[2].startswith("rework     10001  “too small. I want leaves on the ground”: ")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["open", "june"], "drop june has no ads; materialise inference/ad_images for it first."),
        (["open", "../x"], "partition '../x'"),
        (["sync", "nowhere"], "there is no round of picks 'nowhere'; `selvedge review picks status` lists them."),
        (["status", "nowhere"], "there is no round of picks 'nowhere'"),
    ],
)
def test_a_refusal_is_one_sentence(
    studio: PaperStudio, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["review", "picks", *arguments]) == 1
    told = capsys.readouterr().err
    assert sentence in told and "Traceback" not in told


@pytest.mark.parametrize(
    ("comment", "stages"),
    [
        ("too small", {"composition"}),
        ("softer light\ntoo small", {"background", "composition"}),
        ("looks great", None),
        ("xyzzy plugh", set()),
    ],
)
def test_a_comment_is_an_order_for_the_stages_that_it_concerns(comment: str, stages: set[str] | None) -> None:
    order = rework_order(comment)
    if stages is None:
        assert order is None
    else:
        assert order is not None and stages <= set(order["stages"]) and order["sentence"]
        assert stages or (order["stages"] == [] and "xyzzy" in order["sentence"])
