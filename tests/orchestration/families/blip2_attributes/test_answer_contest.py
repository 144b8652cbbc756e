"""Two models that say what a picture shows: asked the same, and refused where there is too little to ask about."""

from dataclasses import replace

import pytest

from catalog.errors import SelvedgeError
from evaluation.preference_plan import PreferencePlan
from labeling.review.rounds.opening import RoundRequest, open_round
from orchestration.families.blip2_attributes.contest import AnswerContest, Rows
from orchestration.registry.ledger import open_ledger
from orchestration.runtime.settings import Settings
from tests.labeling.review import rounds_for_tests as drawn
from tests.labeling.review.rounds.drawn_round import CARDS, KINDS
from tests.labeling.review.rounds_for_tests import columns_of


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "home")


def request(**changes: object) -> RoundRequest:
    fields = {"family": "blip2-attributes", "candidate": drawn.plan().candidate, "kind": CARDS}
    numbers = {"items": 40, "overlap": 3, "seed": 7, "preference": PreferencePlan(), "round_id": None}
    return RoundRequest(**{**fields, **numbers, **changes})


@pytest.fixture(scope="module")
def contest(tmp_path_factory):
    """Two random models of one vocabulary and a shop of eight products, all of them test."""
    from tests.inference.tiny_model import draw_shop, save_tiny_artefact
    from training.blip2.artefact import load_artefact

    folder = tmp_path_factory.mktemp("contest")
    one, other = (load_artefact(save_tiny_artefact(folder / f"m{n}", drawn.schema(), "details", n)) for n in (1, 2))
    types = ["Shirts", "Jeans", "Heels", "Handbags", "Dresses", "Watches", "Casual Shoes", "Shirts"]
    products, images = draw_shop(folder / "images", types)
    splits = products[["product_id", "drop"]].assign(group_id="g", split="test")
    pairs = products[["drop", "product_id"]].assign(attribute="Colour", value="Blue", split="test")
    rows = Rows(products, images, splits, columns_of(pairs, "qa_pairs"), folder / "features")
    names = ("blip2-attributes", drawn.plan().candidate, "4", "champion", "3")
    return AnswerContest(*names, rows, one.schema, lambda: one, lambda: other)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_same_model_on_both_sides_says_the_same_on_both(contest, kind):
    same = replace(contest, load_opponent=contest.load_candidate).compare(kind)
    shown = ["product_id", *(["attribute", "value", "abstained"] if kind == CARDS else ["text"])]
    assert len(same.candidate) and same.candidate[shown].equals(same.opponent[shown])
    different = contest.compare(kind)
    assert not different.candidate[shown].equals(different.opponent[shown])


def test_too_few_products_and_an_empty_test_split_leave_nothing_behind(contest, settings):
    ledger = open_ledger(settings)
    with pytest.raises(SelvedgeError, match=r"needs 46 test products .* but there are 8; lower the plan's items"):
        open_round(settings.rounds(), ledger, None, request(), lambda: contest)
    rows = replace(contest.rows, splits=contest.rows.splits.assign(split="train"))
    with pytest.raises(SelvedgeError, match="the test split is empty"):
        open_round(settings.rounds(), ledger, None, request(), lambda: replace(contest, rows=rows))
    assert ledger.rounds() == [] and not settings.objects().exists()
