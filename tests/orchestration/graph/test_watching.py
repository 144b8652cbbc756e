"""The checks of a drop that a champion works on: through Dagster, on a snapshot of twenty small drops."""

from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest
import torch

from catalog.qa import make_qa_pairs
from catalog.schema import COLUMNS, load_schema
from catalog.tables import as_table
from orchestration.assets.candidates import Opening, record_opening
from orchestration.assets.dataset import keep_dataset
from orchestration.assets.partitions import DROPS, candidate_partitions
from orchestration.assets.published import Tables
from orchestration.families.blip2_attributes.declaration import BLIP2_ATTRIBUTES
from orchestration.families.monitors import ALARM, CALM, DRIFT_CHECK, QUALITY_CHECK, UNJUDGED, outcomes
from orchestration.graph.evidence import evidence_place
from orchestration.graph.watching import watch_checks
from orchestration.jobs.in_process import InProcess, keys
from orchestration.runtime.dagster_private import CheckRecord, check_records
from tests.labeling.review.rounds_for_tests import columns_of
from tests.orchestration.report.small_home import SmallHome
from training.blip2.features import FeatureStore, KeptFeatures

FAMILY = BLIP2_ATTRIBUTES
CANDIDATE = f"{FAMILY.name}-20260101-aaaaaa"
MODEL = f"models:/{FAMILY.name}/1"
STORE = "store-of-a-test"
PRODUCTS, EARLIER = 28, 20
TYPES = np.array(["Shirts", "Jeans", "Tshirts", "Skirts"])


class Store(FeatureStore):
    """A cache whose features no base computed."""

    def __init__(self, folder: Path) -> None:
        self.key = {}
        KeptFeatures.__init__(self, folder)


def delivered(drop: str, first: int, seed: int, odd: bool = False) -> pd.DataFrame:
    """Products of a drop, with the feature that their picture has; an odd drop is all sarees."""
    rng = np.random.default_rng(seed)
    types = np.full(PRODUCTS, "Sarees") if odd else TYPES[rng.choice(4, PRODUCTS, p=rng.dirichlet([2] * 4))]
    return pd.DataFrame(
        {
            "drop": drop,
            "product_id": np.arange(first, first + PRODUCTS),
            "article_type": types,
            "base_colour": rng.choice(["Red", "Blue"], PRODUCTS),
            "gender": "Women",
            "master_category": "Apparel",
            "feature": rng.normal(size=PRODUCTS) + 5 * odd,
        }
    )


def pictures(products: pd.DataFrame) -> pd.DataFrame:
    return products[["drop", "product_id"]].assign(sha256=[f"{i:064x}" for i in products["product_id"]], uri="")


def answers(products: pd.DataFrame, wrong: float, seed: int) -> pd.DataFrame:
    """What a model says of colours: wrong or silent as often as asked."""
    rng = np.random.default_rng(seed)
    other = products["base_colour"].map({"Red": "Blue", "Blue": "Red"})
    value = products["base_colour"].where(rng.random(len(products)) >= wrong, other)
    return products[["drop", "product_id"]].assign(
        attribute="Colour", value=value, confidence=0.9, abstained=rng.random(len(products)) < 0.1, model_uri=MODEL,
        model_digest="d", input_hash="h",
    )  # fmt: skip


class WatchedHome(SmallHome):
    """A champion that learnt from `earlier` drops, all of them test products as far as its scores go."""

    def __init__(self, folder: Path, earlier: int = EARLIER) -> None:
        super().__init__(folder)
        drops = [f"d{number:02}" for number in range(earlier)]
        products = pd.concat(
            [delivered(drop, 1 + PRODUCTS * number, number) for number, drop in enumerate(drops)], ignore_index=True
        )
        splits = products[["drop", "product_id"]].assign(
            group_id="g" + products["product_id"].astype(str), split="test"
        )
        self.schema = load_schema()
        current = {
            "products": as_table(columns_of(products.drop(columns="feature"), "products"), "products"),
            "images": as_table(columns_of(pictures(products), "images"), "images"),
            "splits": as_table(columns_of(splits, "splits"), "splits"),
        }
        current["qa_pairs"] = make_qa_pairs(current["products"], current["splits"], self.schema, COLUMNS).table
        kept = keep_dataset(self.tables, current, drops, COLUMNS)
        about = {"dataset": str(kept.folder), "drops": drops, "question_set": COLUMNS}
        record_opening(self.tables, CANDIDATE, Opening(FAMILY.name, {}, kept.sha256, about))
        self.instance.add_dynamic_partitions(candidate_partitions(FAMILY.name).name or "", [CANDIDATE])
        self.say("training/blip2_attributes_candidate", CANDIDATE, version=1, digest="d")
        own = answers(products, 0.1, 1).assign(truth=products["base_colour"], subject="candidate", in_vocabulary=True)
        untaught = own.assign(attribute="Season", truth="Winter", value=None, abstained=True, in_vocabulary=False)
        floor = own.assign(subject="floor:majority").drop(columns=["abstained", "in_vocabulary"])
        scored = pd.concat([floor, own, untaught], ignore_index=True)
        file = evidence_place(FAMILY, self.tables, CANDIDATE).with_name("predictions.parquet")
        file.parent.mkdir(parents=True)
        file.write_bytes(scored.to_parquet())
        self.cache(products)

        @dg.asset(key=["inference", "attributes"], partitions_def=DROPS)
        def attributes(context: dg.AssetExecutionContext, tables: Tables) -> dg.MaterializeResult:
            narrowed = {
                **self.schema.to_dict(),
                "question_sets": {COLUMNS: self.schema.to_dict()["question_sets"][COLUMNS]},
            }
            return tables.publish(
                context,
                "attributes",
                self.answers,
                {"model": self.model, "attribute_schema": narrowed, "features": self.store},
            )

        definitions = dg.Definitions(
            assets=[attributes],
            asset_checks=watch_checks(FAMILY),
            resources={"tables": self.tables, "settings": self.settings},
            executor=dg.in_process_executor,
        )
        self.graph = InProcess(definitions, self.instance)
        self.model, self.store = MODEL, STORE

    def cache(self, products: pd.DataFrame) -> None:
        store = Store(self.settings.features() / STORE)
        store.write(
            pictures(products)["sha256"].tolist(), torch.tensor(products["feature"].to_numpy("float32"))[:, None, None]
        )

    def deliver(self, drop: str, seed: int, odd: bool = False, wrong: float = 0.1, cached: bool = True) -> None:
        """A drop arrives, and the champion answers."""
        products = delivered(drop, 5000 + 100 * seed, seed, odd)
        self.publish("catalog/products", products.drop(columns="feature"), drop)
        self.publish("catalog/images", pictures(products), drop)
        if cached:
            self.cache(products)
        self.answers = answers(products, wrong, seed)
        self.instance.add_dynamic_partitions(DROPS.name or "", [drop])
        self.graph.run(keys("inference/attributes"), drop)

    def said(self, monitor: str) -> CheckRecord:
        return check_records(self.instance, dg.AssetCheckKey(dg.AssetKey(["inference", "attributes"]), monitor), 1)[0]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> WatchedHome:
    return WatchedHome(tmp_path_factory.mktemp("watched"))


def test_a_drop_like_the_others_passes_with_its_figures_and_a_plot(home: WatchedHome) -> None:
    home.deliver("usual", 300)
    drift, quality = home.said(DRIFT_CHECK), home.said(QUALITY_CHECK)
    assert (drift.partition, drift.passed, drift.metadata["verdict"]) == ("usual", True, CALM)
    assert drift.metadata["training snapshot"] == CANDIDATE and drift.metadata["earlier drops"] == EARLIER
    assert all(name in drift.metadata["statistics"] for name in ("attributes", "image features", "abstention"))
    assert "Article Type" in drift.metadata["attributes"]
    assert drift.metadata["plot"].startswith("![drift of usual](data:image/png;base64,")
    assert (quality.passed, quality.metadata["verdict"]) == (True, CALM) and quality.metadata["p"] > 0.05


def test_an_unlike_drop_is_said_to_differ_and_is_published_all_the_same(home: WatchedHome) -> None:
    home.deliver("odd", 301, odd=True)
    record = home.said(DRIFT_CHECK)
    assert (record.passed, record.metadata["verdict"]) == (False, ALARM) and record.metadata["p"] <= 0.05
    assert "differs in attributes" in record.description and "20 earlier drops" in record.description
    assert home.tables.read(home.instance, "inference/attributes", "odd").num_rows == PRODUCTS
    assert home.said(QUALITY_CHECK).passed


def test_answers_that_the_drop_contradicts_are_the_quality_checks_concern_alone(home: WatchedHome) -> None:
    home.store = ""  # as a Selvedge published that did not say where its features are
    home.deliver("contradicting", 301, wrong=0.9)
    home.store = STORE
    assert home.said(QUALITY_CHECK).metadata["verdict"] == ALARM
    assert home.said(DRIFT_CHECK).passed and "image features not judged" in home.said(DRIFT_CHECK).description


def test_what_is_missing_is_said_and_the_rest_judged(home: WatchedHome) -> None:
    home.deliver("uncached", 302, odd=True, cached=False)
    record = home.said(DRIFT_CHECK)
    assert record.metadata["verdict"] == ALARM and "image features not judged: the drop has none" in record.description


def test_what_cannot_be_judged_says_why_and_is_no_outcome(home: WatchedHome, tmp_path: Path) -> None:
    home.deliver("d03", 304)
    learnt = home.said(DRIFT_CHECK)
    assert (learnt.passed, learnt.metadata["verdict"]) == (True, UNJUDGED)
    assert learnt.metadata["why"] == f"{CANDIDATE} learnt from this drop"
    home.model = f"models:/{FAMILY.name}/9"
    home.deliver("foreign", 305)
    assert (
        not home.said(DRIFT_CHECK).passed and "no candidate of blip2-attributes" in home.said(DRIFT_CHECK).description
    )
    home.model = MODEL
    young = WatchedHome(tmp_path, earlier=4)
    young.deliver("first", 306, odd=True)
    assert (
        young.said(DRIFT_CHECK).description
        == f"not judged: not enough drops: 4 of 19 in the training snapshot of {CANDIDATE}"
    )
    drops = ["d03", "foreign", "usual", "odd", "never"]
    assert [(o.drop, o.alarm) for o in outcomes(home.instance, FAMILY, DRIFT_CHECK, drops, MODEL)] == [
        ("usual", False),
        ("odd", True),
    ]
    assert outcomes(home.instance, FAMILY, DRIFT_CHECK, drops, "models:/another/1") == []


def test_a_damaged_snapshot_fails_the_check_with_its_sentence_and_not_the_run(tmp_path: Path) -> None:
    home = WatchedHome(tmp_path)
    next(home.tables.path("training/datasets").with_suffix("").glob("*/splits.parquet")).unlink()
    home.deliver("after", 307)
    record = home.said(DRIFT_CHECK)
    assert (record.passed, record.metadata["verdict"]) == (False, UNJUDGED) and "splits.parquet" in record.description
