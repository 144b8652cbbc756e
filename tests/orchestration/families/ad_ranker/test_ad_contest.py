"""Ads in pairs: both sides come from the same nine pictures, and nothing on a side tells whose choice it is."""

import base64
import io
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from upath import UPath

from catalog.errors import SelvedgeError
from catalog.files import jpeg_bytes, png_bytes
from catalog.tables import schema_of
from inference.ad_images.refusal import AdRefused, RefusalCode
from inference.ad_images.result import AdResult
from labeling.review.pairs.ads import SHEET_SIDE, AdPictures, against_first_plan
from labeling.review.pairs.items import Slot
from labeling.review.rounds.compared import keep, read_compared
from labeling.review.rounds.tasks import make_pair
from orchestration.families.ad_ranker.contest import AdContest, contest
from orchestration.families.contract import Contenders
from tests.inference.ad_images.shop import a_pipeline, a_request, photo_of
from tests.labeling.review.rounds_for_tests import catalogue, columns_of
from training.ad_ranker.candidate import RANKER_FILE
from training.ad_ranker.features import FEATURES
from training.ad_ranker.ranker import AdRanker

PRODUCTS = 12


def preferring(feature: str, weight: float) -> AdRanker:
    weights = np.zeros(len(FEATURES))
    weights[FEATURES.index(feature)] = weight
    return AdRanker(weights, np.ones(len(FEATURES)), 1.0, 10)


@pytest.fixture(scope="module")
def result() -> AdResult:
    return a_pipeline().make(a_request())


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Any:
    file = tmp_path_factory.mktemp("shop") / "1.png"
    file.write_bytes(photo_of(10008))
    products, splits = catalogue(PRODUCTS)
    images = pd.DataFrame({"product_id": products["product_id"], "uri": str(file), "sha256": "x", "drop": "d1"})
    own = (columns_of(products, "products"), columns_of(images, "images"), columns_of(splits, "splits"))
    return SimpleNamespace(products=own[0], images=own[1], splits=own[2])


@pytest.fixture
def comparing(result: AdResult, tables: Any) -> AdContest:
    rankers = preferring("off_center", 1.0), preferring("off_center", -1.0)
    return AdContest("f", "c", "1", "base", "untrained", rankers, lambda: tables, True, lambda order: result)


def shown(comparison: Any, kind: AdPictures) -> tuple[bytes, bytes]:
    return kind.read(comparison.candidate)[1], kind.read(comparison.opponent)[1]


def test_each_ranker_chooses_among_the_same_pictures(comparing: AdContest, tmp_path: Path) -> None:
    kind = AdPictures()
    compared = comparing.compare(kind)
    ours, theirs = shown(compared, kind)
    assert ours != theirs and len(kind.read(compared.candidate)) == PRODUCTS
    assert shown(replace(comparing, rankers=comparing.rankers[::-1]).compare(kind), kind) == (theirs, ours)
    keep(compared, UPath(tmp_path / "round"), "{}")
    kept = read_compared(UPath(tmp_path / "round"), [kind])
    assert kept.results() == compared.results()


def test_a_pair_shows_the_photograph_and_two_ads_of_one_size(comparing: AdContest) -> None:
    kind = AdPictures()
    material = comparing.compare(kind).material(7)
    for slot in ("plain", "gold", "aa"):
        pair, payload = make_pair(material, bytes(32), "r", Slot(3, slot))  # type: ignore[arg-type]
        files = [base64.b64decode(payload[side].partition(",")[2]) for side in ("left", "right")]
        opened = [Image.open(io.BytesIO(file)) for file in files]
        assert {picture.size for picture in opened} == {(SHEET_SIDE, SHEET_SIDE)}
        headers = [file.partition(b"\xff\xda")[0] for file in files]
        assert headers[0] == headers[1] and b"rank" not in files[0] + files[1]
        assert (files[0] == files[1]) is (slot == "aa")
        assert not {"rank", "score", "champion", "plan"} & set(json.dumps(payload).lower().split('"'))
    assert pair.slot == "aa"


def test_a_side_says_nothing_of_the_file_it_came_from() -> None:
    kind, pixels = AdPictures(), np.asarray(Image.linear_gradient("L").convert("RGB"))
    assert kind.render(png_bytes(pixels)) == kind.render(png_bytes(pixels, optimize=True))
    uris = [kind.render(content) for content in (png_bytes(pixels), jpeg_bytes(Image.fromarray(pixels), 92))]
    tables = [base64.b64decode(uri.partition(",")[2]).partition(b"\xff\xda")[0] for uri in uris]
    assert tables[0] == tables[1]
    with pytest.raises(SelvedgeError, match="table ads holds what is no picture"):
        kind.render(b"text")
    twice = pd.DataFrame({"product_id": [1, 1], "picture": [b"", b""]})
    with pytest.raises(SelvedgeError, match="table ads shows product 1 twice"):
        kind.read(twice)


def test_the_pipeline_beside_its_first_plan_is_opened_by_hand_alone(comparing: AdContest, result: AdResult) -> None:
    kind = against_first_plan()
    _, first = shown(comparing.compare(kind), kind)
    plan = result.attempts[0].judged[0].picture.pixels
    assert np.abs(np.asarray(Image.open(io.BytesIO(first)), float) - plan).mean() < 3
    for changed in ({"by_hand": False}, {"opponent": "champion"}):
        with pytest.raises(SelvedgeError, match="are about the pipeline, not about a candidate and its champion"):
            replace(comparing, **changed).compare(kind)  # type: ignore[arg-type]


def test_products_on_which_both_agree_or_that_have_no_ad_are_in_no_round(comparing: AdContest) -> None:
    same = comparing.rankers[0]
    with pytest.raises(SelvedgeError, match="choose the same picture of every test product"):
        replace(comparing, rankers=(same, same)).compare(AdPictures())

    def every_second(order: Any) -> AdResult:
        if order.product.product_id % 2:
            raise AdRefused(RefusalCode.NOTHING_PASSED, "nothing passed")
        return comparing.make(order)

    compared = replace(comparing, make=every_second).compare(AdPictures())
    assert list(compared.candidate["product_id"]) == list(compared.products["product_id"]) == [2, 4, 6, 8, 10, 12]
    assert set(compared.products) == set(schema_of("products").names)


def test_without_a_champion_the_untrained_order_stands_in(tmp_path: Path) -> None:
    preferring("thirds", -1.0).save(tmp_path / RANKER_FILE)
    first = contest(Contenders("f", "c", "1", tmp_path, None, tmp_path, tmp_path))
    assert (first.opponent, first.opponent_version, first.rankers[1].trained) == ("base", "untrained", False)
    second = contest(Contenders("f", "c", "2", tmp_path, ("1", tmp_path), tmp_path, tmp_path))
    assert (second.opponent, second.opponent_version, second.rankers[1].trained) == ("champion", "1", True)
