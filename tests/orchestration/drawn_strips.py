"""Two tiny models that draw, rectangles whose words they know, and a shop of bottoms: what a contest is made of."""

import json
from pathlib import Path

from catalog.schema import load_schema
from catalog.tables import write_table
from catalog.workspace import SCHEMA_FILE, SUMMARY_FILE
from orchestration.assets.candidates import Opening
from orchestration.families.contract import Contenders
from orchestration.families.restgan.contest import StripContest, contest_on
from tests.inference.tiny_restgan import save_tiny_restgan
from tests.labeling.review.rounds_for_tests import columns_of
from tests.training.restgan.shop import open_shop
from tests.training.restgan.synthetic import synthetic_bottoms
from training.attribute_judge import JUDGE_FILE, AttributeJudge, save_judge
from training.attribute_network import AttributeClassifier
from training.catalogue import read_catalogue_folder
from training.restgan.candidate import BOTTOMS_FILE, RestganCandidateSettings, made_with
from training.restgan.dataset import GENDERS, TYPES, Bottoms, build_bottoms
from training.restgan.judge_training import ARCHITECTURE
from training.restgan.settings import RestganSettings

FAMILY, CANDIDATE = "restgan", "restgan-20260503-a1b2c3"


def artefact_with_base(folder: Path, seed: int = 1) -> Path:
    """A candidate's folder as training leaves it, less the judge."""
    save_tiny_restgan(folder, seed)
    save_tiny_restgan(folder / "base", seed + 100)
    return folder


def made_on(folder: Path, catalog: Path) -> Path:
    """The same with a judge, of random weights, that knows the bottoms of a catalogue directory as its own."""
    settings = RestganCandidateSettings(restgan=RestganSettings(size=16, stages=2))
    bottoms = build_bottoms(read_catalogue_folder(catalog, "details"), **made_with(settings))
    classes = {"type": TYPES, "colour": tuple(map(str, range(len(bottoms.colours)))), "gender": GENDERS}
    network = AttributeClassifier(classes, {}, 32, 4, ARCHITECTURE)
    save_judge(AttributeJudge(network, dict.fromkeys(classes, 1.0), {}, bottoms.digest), folder / JUDGE_FILE)
    (folder / BOTTOMS_FILE).write_text(json.dumps(made_with(settings)))
    return folder


def held_out(count: int = 1500) -> Bottoms:
    """Part test of the rectangles: about a tenth of them, in the words that the tiny models know."""
    return synthetic_bottoms(count, size=16).of("test")


def contenders(
    folder: Path, champion: tuple[str, Path] | None = None, data: Opening | Path | None = None
) -> Contenders:
    """A candidate's folder as version 4, and whom it has to beat."""
    data = data or folder
    return Contenders(FAMILY, CANDIDATE, "4", folder, champion, data, folder)


def strip_contest(folder: Path, champion: bool = False, count: int = 1500) -> StripContest:
    """The candidate against another model of its family, or against what it began with."""
    other = ("3", save_tiny_restgan(folder / "champion", 2)) if champion else None
    return contest_on(contenders(artefact_with_base(folder / "candidate"), other), held_out(count))


def bottoms_catalogue(folder: Path, products: int = 320) -> Path:
    """A catalogue directory of bottoms, as reading one leaves it."""
    shop = open_shop(folder, products)
    pairs = shop.products[["drop", "product_id"]].assign(attribute="Colour", value="Blue", split="test")
    tables = {"products": shop.products, "images": shop.images, "splits": shop.splits, "qa_pairs": pairs}
    for name, rows in {**tables, "quarantine": pairs.head(0)}.items():
        write_table(columns_of(rows, name), folder / f"{name}.parquet", name)
    (folder / SCHEMA_FILE).write_text(json.dumps(load_schema().to_dict()))
    (folder / SUMMARY_FILE).write_text(json.dumps({"qa_pairs": {"question_set": "details"}}))
    return folder
