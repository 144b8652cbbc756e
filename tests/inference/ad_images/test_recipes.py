"""Recipes: what is written is read back as it was, and nothing else is read."""

import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import SelvedgeError
from inference.ad_images.finding import Change, Finding, Strictness
from inference.ad_images.plan import Plan, Support
from inference.ad_images.recipes import CutoutStamp, Recipe, parsed_recipe, pixels_sha256, read_recipe, recipe_bytes
from inference.ad_images.request import AdBrief, AdRequest, ListedProduct, OnModel
from inference.ad_images.scene import LibraryPhoto, Light, Scene

words = st.text(max_size=12)
numbers = st.floats(allow_nan=False)
whole = st.integers(0, 2**63)
sizes = st.tuples(st.integers(1, 4096), st.integers(1, 4096))
maps = st.dictionaries(words, words, max_size=3)
listed = st.builds(ListedProduct, whole, words, words, gender=words, colour=words, brand=words, attributes=maps)
requests = st.builds(
    AdRequest, words, st.just(b""), st.none() | listed, st.none() | words, st.none() | words, sizes, whole,
    st.sampled_from(OnModel), st.none() | words,
)  # fmt: skip
briefs = st.builds(AdBrief, requests, words, words, st.sampled_from(Support), numbers, maps)
plans = st.builds(
    Plan, whole, whole, whole, numbers, numbers, numbers, numbers, st.sampled_from(Support), whole, words
)  # fmt: skip
photos = st.builds(LibraryPhoto, words.map(lambda name: Path("/library") / name.replace("\0", "")), words, words, words)
scenes = st.builds(
    Scene, words, words, sizes, whole, st.sampled_from(Support), st.builds(Light, numbers, numbers, numbers, numbers),
    st.none() | numbers, st.lists(words, max_size=3).map(tuple), st.none() | photos, numbers,
)  # fmt: skip
findings = st.builds(
    Finding, words, st.booleans(), st.sampled_from(Strictness), numbers, numbers, words, words,
    st.lists(st.sampled_from(Change), max_size=3).map(tuple),
)  # fmt: skip
stamps = st.builds(CutoutStamp, words, words, words, numbers, st.booleans())
tuples = st.lists(words, max_size=2).map(tuple)
recipes = st.builds(
    Recipe, briefs, words, stamps, words, plans, scenes, words, words, st.lists(findings, max_size=3).map(tuple),
    numbers, whole, words, words, words, whole, tuples, tuples, maps,
)  # fmt: skip


@settings(max_examples=25)
@given(recipes)
def test_a_recipe_is_read_back_as_it_was(recipe):
    content = recipe_bytes(recipe)
    assert parsed_recipe(content, "1.json") == recipe
    assert recipe_bytes(parsed_recipe(content, "1.json")) == content
    json.loads(content, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


@pytest.fixture
def recipe() -> Recipe:
    return Recipe(
        brief=AdBrief(AdRequest("r1", b"photo", seed=3), "a bag", "beach", Support.STANDS, 30.0),
        photo_sha256=hashlib.sha256(b"photo").hexdigest(),
        cutout=CutoutStamp("d" * 64, "s" * 64, "border", 0.97, False),
        caption="A bag on sand.",
        plan=Plan(0, 0, 3, 0.0, 0.5, 0.5, 0.86, Support.STANDS, 7),
        scene=Scene("beach", "A bag on sand.", (512, 512), 7, Support.STANDS),
        backdrop="studio",
        backdrop_version="4",
        findings=(Finding("halo", True, Strictness.STRICT, math.nan, math.inf, "px", "no rim"),),
        score=0.5,
        rank=1,
        pixels_sha256=pixels_sha256(np.zeros((4, 5, 3), np.uint8)),
        selvedge="0.1.0",
    )


def test_numbers_that_are_none_are_kept(recipe):
    (finding,) = parsed_recipe(recipe_bytes(recipe), "1.json").findings
    assert math.isnan(finding.value) and finding.limit == math.inf


def test_the_photograph_is_held_to_its_hash(recipe):
    read = parsed_recipe(recipe_bytes(recipe), "1.json")
    assert read.brief.request.photo == b"" and read.request(b"photo") == recipe.brief.request
    with pytest.raises(SelvedgeError, match="of another photograph"):
        read.brief_with(b"another")


def test_a_picture_made_again_is_held_to_the_recipe(recipe):
    black = np.zeros((4, 5, 3), np.uint8)
    recipe.require_same(black, "4")
    with pytest.raises(SelvedgeError, match="painted by studio 4, not by 5"):
        recipe.require_same(black, "5")
    for other in (black + 1, black.reshape(5, 4, 3)):
        with pytest.raises(SelvedgeError, match="is another one than the recipe's"):
            recipe.require_same(other, "4")


def test_files_that_are_no_recipe(recipe, tmp_path):
    stamped = json.loads(recipe_bytes(recipe))
    by_hand = {**stamped, "content": {**stamped["content"], "score": 99.0}}
    for content, sentence in {
        b"{": "no JSON",
        b"\xff": "no JSON",
        b"[]": "no recipe of an ad",
        json.dumps({**stamped, "format": 2}).encode(): "format 2; this Selvedge reads 1",
        json.dumps(by_hand).encode(): "was changed after it was written",
    }.items():
        (tmp_path / "1.json").write_bytes(content)
        with pytest.raises(SelvedgeError, match=sentence):
            read_recipe(tmp_path / "1.json")
    with pytest.raises(SelvedgeError, match="does not exist"):
        read_recipe(tmp_path / "2.json")
    with pytest.raises(SelvedgeError, match="cannot be read"):
        read_recipe(tmp_path)


def test_a_recipe_with_a_field_of_another_kind(recipe):
    from catalog.files import json_sha256

    content = {**json.loads(recipe_bytes(recipe))["content"], "plan": "left"}
    stamped = {"format": 1, "sha256": json_sha256(content), "content": content}
    with pytest.raises(SelvedgeError, match=r"no recipe of an ad \(plan\)"):
        parsed_recipe(json.dumps(stamped).encode(), "1.json")
    assert replace(recipe, rank=2) != recipe
