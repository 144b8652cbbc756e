"""A trace: every hop is there, hashed again; what is gone or changed is said at its hop and nowhere else."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from catalog.errors import SelvedgeError, ServiceUnavailable
from inference.ad_images.batch import fulfil
from inference.ad_images.orders import AdOrder
from inference.ad_images.request import OnModel
from inference.tables import AD_IMAGES
from orchestration.assets.candidates import Opening, name_candidate, record_opening
from orchestration.assets.dataset import freeze_dataset
from orchestration.assets.partitions import candidate_partitions
from orchestration.defs.catalog.withdrawn import record_withdrawal
from orchestration.report.catalogue import summarise_catalogue
from orchestration.report.home import Home
from orchestration.report.hops import Sources
from orchestration.report.products import read_published
from orchestration.report.trace import Tracer
from orchestration.runtime.settings import Settings
from tests.inference.ad_images.shop import BAG, SIZE, a_maker, listed, photo_of
from tests.orchestration.families.toy.declaration import digest
from tests.orchestration.paper_registry import PaperRegistry
from tests.orchestration.report.small_home import DROP, SmallHome
from tests.orchestration.toy_family import register_toy, toy_family

PRODUCT = 1
HOPS = ["sentence", "facts", "attributes", "model", "MLflow run", "candidate", "data set", "Q&A rows", "scores",
        "promotion", "split", "product", "picture", "delivery"]  # fmt: skip


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A drop that was delivered, asked, answered by a registered toy and described."""
    made = SmallHome(tmp_path)
    shop = made.shop = made.settings.home / "drawn" / "shop"
    shop.mkdir(parents=True)
    (shop / "styles.csv").write_text("id,gender\n" + "".join(f"{product},Women\n" for product in range(1, 13)))
    made.read_drop(source=str(shop))
    made.registry = PaperRegistry(made.settings)
    monkeypatch.setattr(Sources, "registry", (made.registry, ""))
    family = toy_family()
    frozen = freeze_dataset(made.instance, made.tables)
    about = {"dataset": str(frozen.folder), "dataset_sha256": frozen.sha256, "drops": [DROP]}
    opening = Opening(family.name, {"mean": 0.5}, frozen.sha256, about, "drift in 2 of the last 3 drops")
    made.candidate = name_candidate(made.instance, opening)
    record_opening(made.tables, made.candidate, opening)
    made.instance.add_dynamic_partitions(candidate_partitions(family.name).name, [made.candidate])
    version = register_toy(made.registry, made.candidate, 0.5)
    weights = digest(made.registry.artefact_path(version))
    run = "http://127.0.0.1:1/#/experiments/1/runs/abc"
    made.say("training/toy_candidate", made.candidate, version=1, digest=weights, **{"MLflow run": run})
    answers = pd.DataFrame(
        {
            "drop": DROP,
            "product_id": [PRODUCT],
            "attribute": "Colour",
            "value": "Blue",
            "confidence": 0.9,
            "abstained": False,
            "model_uri": version.uri,
            "model_digest": weights,
            "input_hash": "h",
        }
    )
    made.publish("inference/attributes", answers, DROP)
    checks = json.dumps({"facts": {"base_colour": "Blue"}, "conflicts": {}, "unsupported": []})
    text = answers[["drop", "product_id", "input_hash"]].assign(
        text="A blue shirt.",
        writer="grammar",
        checks=checks,
        attempt=1,
        model_version=f"{version.uri}@{weights[:12]}",
        prompt_version="s-1",
    )
    made.publish("inference/descriptions", text, DROP)
    return made


def traced(home, product=PRODUCT, drop=None):
    return Tracer(Home(home.instance, home.settings), [toy_family()]).follow(product, drop)


def states(followed):
    return {hop.hop: hop.state for hop in followed.hops}


def test_a_sentence_is_followed_through_every_hop(home):
    followed = traced(home)
    assert [hop.hop for hop in followed.hops] == HOPS
    by_name = {hop.hop: hop for hop in followed.hops}
    assert by_name["sentence"].value == "A blue shirt." and by_name["facts"].value == "base_colour Blue"
    assert by_name["attributes"].value == "Colour Blue 0.90"
    assert by_name["MLflow run"].link == f"{home.settings.mlflow_uri}/#/experiments/1/runs/abc", "where MLflow is now"
    assert by_name["candidate"].value == home.candidate and by_name["Q&A rows"].value.startswith("1 of 1 products")
    assert by_name["candidate"].note.endswith("they give its name; opened because drift in 2 of the last 3 drops")
    assert by_name["delivery"].link.endswith("/shop/styles.csv:2") and by_name["delivery"].value == "1,Women"
    assert all(hop.link for hop in followed.hops), "each hop can be opened"
    # No scores and no promotion stand behind this toy: both are said, nothing else lacks.
    assert {hop.hop for hop in followed.missing} == {"scores", "promotion"} and not followed.broken
    kept = {hop for hop, state in states(followed).items() if state == "checked"}
    assert kept == set(HOPS) - {"MLflow run", "scores", "promotion"}
    assert [set(row) for row in followed.rows()] == [{"hop", "value", "link", "state", "note"}] * len(HOPS)


def test_a_home_that_was_moved_is_traced_and_shown_as_before(home, monkeypatch):
    before, cards = states(traced(home)), read_published(Home(home.instance, home.settings), seed=1).cards
    moved = Settings(home=home.settings.home.rename(home.folder / "moved"))
    here = Home(home.instance, moved)
    paper = moved.home / "paper.json"  # MLflow's records name its files without the home
    paper.write_text(paper.read_text().replace(str(home.settings.home), str(moved.home)))
    monkeypatch.setattr(Sources, "registry", (PaperRegistry(moved), ""))
    assert {Path(uri).parent for uri in here.picture_uris.values()} == {moved.home / "pictures"}
    assert read_published(here, seed=1).cards == cards
    catalogue = summarise_catalogue(here, seed=1)
    assert catalogue.source == "shop" and len(catalogue.strip) == 12
    followed = Tracer(here, [toy_family()]).follow(PRODUCT, None)
    assert states(followed) == before
    assert not [hop.link for hop in followed.hops if hop.link.startswith(str(home.settings.home))]


def other_weights(home):
    (home.registry.artefact_path(home.registry.version("toy", 1)) / "selvedge.json").write_text('{"mean": 0.7}')


def other_row(home):
    (home.shop / "styles.csv").write_text("id,gender\n2,Men\n")


def other_picture(home):
    (home.pictures / "1.png").write_bytes(b"other")


def other_opening(home):
    path = home.tables.path("candidates/toy", home.candidate).with_suffix(".json")
    path.write_text(path.read_text().replace("0.5", "0.6"))


def other_answers(home):
    path = home.tables.path("inference/attributes", DROP)
    path.write_bytes(home.tables.path("inference/descriptions", DROP).read_bytes())


def other_dataset(home):
    folder = next(home.tables.path("training/datasets/x").parent.iterdir())
    (folder / "qa_pairs.parquet").write_bytes((folder / "splits.parquet").read_bytes())


@pytest.mark.parametrize(
    ("change", "hop"),
    [
        (other_weights, "model"),
        (other_row, "delivery"),
        (other_picture, "picture"),
        (other_opening, "candidate"),
        (other_answers, "attributes"),
        (other_dataset, "data set"),
    ],
)
def test_what_was_changed_is_broken_at_its_own_hop(home, change, hop):
    change(home)
    assert [broken.hop for broken in traced(home).broken] == [hop]


def test_what_is_gone_is_missing_with_its_reason(home, monkeypatch):
    (home.shop / "styles.csv").unlink()
    monkeypatch.setattr(Sources, "registry", (None, str(ServiceUnavailable("MLflow does not answer."))))
    notes = {hop.hop: hop.note for hop in traced(home).hops}
    assert "not there any more (No such file" in notes["delivery"]
    assert "not hashed again: MLflow does not answer" in notes["model"]


def test_a_product_that_was_never_described_says_so_and_keeps_the_rest(home):
    followed = traced(home, 3)
    assert {"sentence", "attributes", "model"} <= {hop.hop for hop in followed.missing}
    assert states(followed)["delivery"] == "checked"


@pytest.mark.parametrize(
    ("product", "drop", "sentence"),
    [
        (99, None, "no drop of .* holds product 99"),
        (1, "other", "drop other was never read; there are first"),
        (38, None, r"line 4 of drop first is in quarantine \(bad_id: "),
    ],
)
def test_a_product_that_is_nowhere_is_one_sentence(home, product, drop, sentence):
    rejected = [(DROP, 4, "bad_id", b"38,Shirt\n", "product id is no whole number")]
    home.publish(
        "catalog/quarantine", pd.DataFrame(rejected, columns=["drop", "line", "reason", "raw", "detail"]), DROP
    )
    with pytest.raises(SelvedgeError, match=sentence):
        traced(home, product, drop)


def test_answers_of_another_model_than_the_text_names_break_the_chain(home):
    text = home.tables.latest("inference/descriptions", DROP).to_pandas()
    home.publish("inference/descriptions", text.assign(model_version="models:/toy/9@beef"), DROP)
    assert [hop.hop for hop in traced(home).broken] == ["attributes"]


def test_a_model_outside_the_registry_is_named_and_not_followed(home):
    answers = home.tables.latest("inference/attributes", DROP).to_pandas()
    home.publish("inference/attributes", answers.assign(model_uri="file:///run"), DROP)
    followed = Tracer(Home(home.instance, home.settings), [replace(toy_family(), name="other")]).follow(PRODUCT)
    assert states(followed)["model"] == "missing" and "candidate" not in states(followed)


def test_a_withdrawn_product_is_told_with_its_day_and_the_delivery_it_went_with(home):
    record_withdrawal(home.settings, DROP, {77: "Blue Shirt"}, "abcdef0123", "f" * 64, "e" * 64)
    record_withdrawal(home.settings, DROP, {77: "Blue Shirt"}, "abcdef9999", "f" * 64, "e" * 64)  # a second try
    tracer = Tracer(Home(home.instance, home.settings), [toy_family()])
    for drop in (None, DROP):
        with pytest.raises(SelvedgeError) as told:
            tracer.follow(77, drop)
        sentence = str(told.value)
        assert sentence.startswith(f"product 77 (Blue Shirt) was withdrawn from drop {DROP} at 20")
        assert f"the delivery {'f' * 12} holds it no more, the one before ({'e' * 12}) did. No table" in sentence
        assert "run abcdef99 in Dagster read that delivery" in sentence
    (home.settings.tables() / "drops" / f"{DROP}.withdrawn.json").write_text("[{")
    with pytest.raises(SelvedgeError, match=r"withdrawn\.json is damaged"):
        tracer.follow(77)


def with_an_ad(home, **changes):
    """One picture of the product, made by the pipeline of tests, as the ranker's first."""
    photo = home.folder / "photo.png"
    photo.write_bytes(photo_of(BAG))
    model = home.tables.read(home.instance, "inference/descriptions", DROP).to_pandas()["model_version"][0]
    order = AdOrder(
        DROP, listed(BAG), str(photo), hashlib.sha256(photo_of(BAG)).hexdigest(), "studio", SIZE, 0, model, "h" * 64,
        OnModel.REFUSE,
    )  # fmt: skip
    rows = pd.DataFrame(fulfil(order, a_maker(home.folder)).rows, columns=AD_IMAGES.names)
    rows = rows.assign(product_id=PRODUCT, **changes)
    home.publish("inference/ad_images", rows, DROP)
    return rows


def test_an_ad_is_followed_with_its_recipe_to_the_model_that_its_brief_rests_on(home):
    rows = with_an_ad(home)
    followed = traced(home)
    (ad,) = (hop for hop in followed.hops if hop.hop == "ad")
    assert [hop.hop for hop in followed.hops] == [*HOPS[:2], "ad", *HOPS[2:]], "one of its theme: the ranker's first"
    assert ad.state == "checked" and ad.link == rows.iloc[0]["uri"] and "studio: first by the ranker" in ad.value
    Path(ad.link).with_suffix(".json").write_text("{}")
    (ad,) = (hop for hop in traced(home).hops if hop.hop == "ad")
    assert ad.state == "broken" and "the recipe was changed" in ad.note


def test_an_ad_of_another_models_answers_breaks_the_chain(home):
    with_an_ad(home, model_version="models:/toy/7@aaaaaaaaaaaa")
    (ad,) = (hop for hop in traced(home).hops if hop.hop == "ad")
    assert ad.state == "broken" and "rests on answers of models:/toy/7" in ad.note
