"""garment-segmenter on the road: silent without labels, from a few labelled pictures to a champion that cuts out."""

import base64
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pytest
from PIL import Image

from catalog.drawn import draw_catalogue
from catalog.errors import SelvedgeError
from evaluation.preference_plan import PreferencePlan
from labeling.review.rounds.opening import Opened, RoundRequest, open_round
from orchestration import families
from orchestration.assets.partitions import candidate_partitions
from orchestration.assets.published import Tables, materialised
from orchestration.cli import results
from orchestration.cli.main import run
from orchestration.defs.catalog.deliveries import add_drop
from orchestration.defs.inference.ad_images import MASKS, champions_artefact
from orchestration.defs.inference.ad_parts import AdParts, ad_pipeline, stamps
from orchestration.families.garment_segmenter.declaration import GARMENT_SEGMENTER
from orchestration.families.settings import load_settings
from orchestration.graph.build import build_defs
from orchestration.jobs.in_process import InProcess, keys
from orchestration.report import write_report
from orchestration.runtime.settings import Settings
from tests.labeling.review.rounds.paper_studio import PaperStudio
from tests.orchestration.paper_models import PaperModels
from tests.orchestration.paper_registry import PaperRegistry
from tests.orchestration.paper_reviews import PaperReviews
from tests.training.handsoff.labelling import generator
from tests.training.segmenter import squares
from training.handsoff.frozen import save_generator

ITEMS, PREFERRED, TEST = 40, 0.97, 60
PLAN = {
    "labels": "labels",
    "test": "test",
    "generator": "generator",
    "inversion": {
        "width": 8, "batch_size": 8, "encoder_steps": 6, "refine_steps": 1, "steps": 3, "references": 3,
        "tolerance": 1000, "device": "cpu",
    },
    "labeller": {"members": 2, "hidden": 16, "pixels": 64, "epochs": 2},
    "generation": {"pictures": 6, "shard": 4, "drop": 0.2},
}  # fmt: skip
LEARNING = {**squares.settings(steps=200).fixed(), "threads": 1}


@dataclass
class StudioReviews(PaperReviews):
    """Rounds that are opened as the real ones are, with the family's own contest, in a Label Studio on paper."""

    def __post_init__(self) -> None:
        self.studio = PaperStudio()

    def open(self, family: str, candidate: str, kind: Any, seed: int, contest: Any, progress: Any) -> Opened:
        request = RoundRequest(family, candidate, kind, ITEMS, 3, seed, PreferencePlan())
        return open_round(
            self.settings.rounds(), self.ledger(), self.studio, request,
            lambda: contest(self.settings, family, candidate), progress,
        )  # type: ignore[arg-type]  # fmt: skip


@dataclass
class Home:
    settings: Settings
    registry: PaperRegistry
    reviews: StudioReviews
    graph: InProcess

    def candidates(self) -> list[str]:
        partitions = candidate_partitions(GARMENT_SEGMENTER.name).name or ""
        return list(self.graph.instance.get_dynamic_partitions(partitions))

    def lacks(self) -> str:
        assert GARMENT_SEGMENTER.lacks is not None
        return GARMENT_SEGMENTER.lacks(self.graph.instance, self.settings, Tables(root=str(self.settings.tables())))


def a_home(folder: Path, monkeypatch: pytest.MonkeyPatch, plan: dict[str, Any] | None = None) -> Home:
    monkeypatch.setattr(families, "FAMILIES", (GARMENT_SEGMENTER,))
    monkeypatch.setenv("SELVEDGE_HOME", str(folder / "home"))
    (folder / "learning.yaml").write_text(json.dumps(LEARNING))  # JSON is YAML
    monkeypatch.setenv("SELVEDGE_GARMENT_SEGMENTER_SETTINGS", str(folder / "learning.yaml"))
    if plan is not None:
        (folder / "plan.yaml").write_text(json.dumps(plan))
        monkeypatch.setenv("SELVEDGE_HANDSOFF", str(folder / "plan.yaml"))
    settings = load_settings(simulated_ballots=True)
    registry = PaperRegistry(settings)
    monkeypatch.setattr("orchestration.registry.registry.Registry", lambda settings: registry)
    reviews = StudioReviews(settings, registry)
    definitions = build_defs(settings, (GARMENT_SEGMENTER,), {"models": PaperModels(registry), "reviews": reviews})
    return Home(settings, registry, reviews, InProcess(definitions, dg.DagsterInstance.ephemeral()))


def labelled(folder: Path) -> None:
    squares.write(folder / "labels", 5, seed=1)
    squares.write(folder / "test", TEST, seed=2)
    frozen = generator()
    save_generator(folder / "generator", frozen.settings, frozen.generator)


def test_a_home_without_labels_says_so_and_has_no_candidate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = a_home(tmp_path, monkeypatch)
    assert home.lacks().startswith("no few labelled pictures are named; write a plan of HandsOff")
    home.graph.settle()
    assert home.candidates() == []
    without = a_home(tmp_path, monkeypatch, {"labels": "labels"})
    assert "names no test pictures" in without.lacks() and "`test: DIR`" in without.lacks()
    assert champions_artefact(home.graph.instance, PaperModels(home.registry), MASKS) is None  # type: ignore[arg-type]
    assert ad_pipeline(AdParts.of(home.settings)).segmenters == ()


def test_a_few_labels_make_a_champion_that_cuts_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labelled(tmp_path)
    home = a_home(tmp_path, monkeypatch, PLAN)
    graph = home.graph
    assert home.lacks() == ""
    graph.run(GARMENT_SEGMENTER.prepared_by)
    graph.settle()
    (candidate,) = home.candidates()
    frozen = materialised(graph.instance, "training/label_set")
    assert frozen is not None
    assert [frozen[f"{part}_pictures"] for part in ("labelled", "test", "generated")] == [5, TEST, 5]
    opened = materialised(graph.instance, "review/garment_segmenter_round", candidate)
    assert opened is not None and (opened["kind"], opened["against"]) == ("garment-masks", "base nearest-labelled")
    home.reviews.vote(candidate, PREFERRED)
    graph.settle()
    assert home.registry.aliases(GARMENT_SEGMENTER.name)["champion"] == 1
    verdict = materialised(graph.instance, "review/garment_segmenter_verdict", candidate)
    assert verdict is not None and "two garment masks for one product" in Path(verdict["report"]).read_text()

    draw_catalogue(tmp_path / "delivery", 8, 3, size=64, workers=1)
    add_drop(graph.instance, home.settings, "may", str(tmp_path / "delivery"))
    graph.run(keys("catalog/products", "catalog/quarantine"), "may")
    graph.settle()
    published = materialised(graph.instance, MASKS, "may")
    assert published is not None and published["model"] == "models:/garment-segmenter/1"
    tables = Tables(root=str(home.settings.tables()))
    masks = tables.read(graph.instance, MASKS, "may").to_pandas()
    images = tables.read(graph.instance, "catalog/images", "may").to_pandas().set_index("product_id")
    for row in masks.itertuples(index=False):
        mask = Image.open(io.BytesIO(row.mask))
        assert mask.size == (images.loc[row.product_id, "width"], images.loc[row.product_id, "height"])
        assert np.asarray(mask).max() < len(row.classes) == 3
    report = write_report(graph.instance, home.settings, (GARMENT_SEGMENTER,), home.settings.home / "report.html")
    assert "Parts of garments" in report.read_text()

    folder = champions_artefact(graph.instance, PaperModels(home.registry), MASKS)  # type: ignore[arg-type]
    parts = AdParts.of(home.settings, segmenting=folder)
    (segmenter,) = ad_pipeline(parts).segmenters
    assert stamps(parts)["segmenter"] == f"garment-segmenter {segmenter.version}"
    picture, mask = (array[0] for array in squares.drawn(1, seed=5))
    assert ((segmenter.mask(picture) >= 0.5) == (mask > 0)).mean() > 0.9


def test_it_is_called_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    a_home(tmp_path, monkeypatch)
    squares.write(tmp_path / "set" / "labelled", 5, seed=1)
    squares.write(tmp_path / "set" / "test", 30, seed=2)

    def printed(*arguments: str) -> dict[str, Any]:
        assert run([*arguments, "--json"]) == 0
        return dict(json.loads(capsys.readouterr().out))

    config = ("--config", str(tmp_path / "learning.yaml"), "--catalog", str(tmp_path / "set"))
    trained = printed("train", "garment-segmenter", *config, "--out", str(tmp_path / "run"))
    assert list(trained) == list(results.declared()["train"])
    assert (trained["labelled_pictures"], trained["generated_pictures"]) == (5, 0)
    assert trained["classes"] == list(squares.CLASSES)
    scored = printed(
        "evaluate", "garment-segmenter", "--model", str(tmp_path / "run"), "--catalog", str(tmp_path / "set")
    )
    assert list(scored) == list(results.declared()["evaluate"]) and scored["products"] == 30
    assert scored["iou"]["candidate"] > scored["iou"]["base"] > 0
    assert scored["iou"].keys() == scored["foreground_iou"].keys() == {"base", "candidate", "floor:mean_label"}


def test_a_test_picture_that_was_learnt_from_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labelled(tmp_path)
    file = tmp_path / "labels" / "images" / "3.png"
    (tmp_path / "test" / "images" / "7.png").write_bytes(file.read_bytes())
    home = a_home(tmp_path, monkeypatch, PLAN)
    with pytest.raises(SelvedgeError, match=r"test picture 7 of .* is also labelled picture 3"):
        home.graph.run(GARMENT_SEGMENTER.prepared_by)


def test_a_served_version_answers_with_masks(tmp_path: Path) -> None:
    import pandas as pd

    from inference.garment_segmenter_entry import PictureMasks
    from inference.refused_request import RefusedRequest
    from inference.sent_pictures import decode_picture
    from orchestration.families.garment_segmenter.served import signature
    from training.segmenter.segmenter import load_segmenter

    trained = squares.train(squares.write(tmp_path / "labels"), tmp_path / "run", steps=2)
    model = PictureMasks()
    model.load_context(type("Context", (), {"artifacts": {"model": str(trained.artefact)}}))
    picture = squares.drawn(1, side=40)[0][0]
    sink = io.BytesIO()
    Image.fromarray(picture).save(sink, "PNG")
    sent = base64.b64encode(sink.getvalue()).decode()
    answer = model.predict(None, pd.DataFrame({"image": [sent]}))
    mask = np.asarray(Image.open(io.BytesIO(base64.b64decode(answer["mask"][0]))))
    seen = np.asarray(decode_picture(sent, 0).convert("RGB"))
    assert np.array_equal(mask, load_segmenter(trained.artefact).segment(seen))
    assert answer["classes"][0] == list(squares.CLASSES)
    assert [column.name for column in signature().outputs] == list(answer.columns)
    for images, sentence in ((["nothing"], "row 0: "), (["x"] * 65, "65 pictures; send at most 64")):
        with pytest.raises(RefusedRequest, match=sentence):
            model.predict(None, pd.DataFrame({"image": images}))
    with pytest.raises(RefusedRequest, match="needs the column image"):
        model.predict(None, pd.DataFrame({"picture": ["x"]}))
