"""Brand files: what is read, and every way in which one is wrong."""

import pytest

from inference.ad_images.finding import Strictness
from inference.ad_images.quality.brand import presets, read_brand
from inference.ad_images.refusal import AdRefused, RefusalCode

GOOD = """
name: Harbour & Pine
palette: ["#1F3A4D", "#d9c7a3"]
preset: lifestyle
guidelines:
  palette: {strictness: strict, limit: 15}
  contrast: {limit: 10}
  thirds: flexible
  highlights: off
  plants: {strictness: flexible, relax: 1, question: 'Are there plants in the picture?', pass_on: yes}
"""


def written(folder, text):
    file = folder / "brand.yaml"
    file.write_text(text)
    return file


def test_a_brand_changes_what_it_names_of_its_preset_and_keeps_the_rest(tmp_path):
    brand = read_brand(written(tmp_path, GOOD))
    rules = {rule.name: rule for rule in brand.guidelines}
    preset = {rule.name: rule for rule in read_brand("lifestyle").guidelines}
    assert brand.name == "Harbour & Pine"
    assert brand.palette == ("#1f3a4d", "#d9c7a3")
    assert (rules["palette"].strictness, rules["palette"].limit) == (Strictness.STRICT, 15)
    assert (rules["contrast"].strictness, rules["contrast"].limit) == (Strictness.FLEXIBLE, 10)
    assert rules["thirds"].strictness is Strictness.FLEXIBLE
    assert "highlights" not in rules
    assert rules["plants"].question == "Are there plants in the picture?"
    assert rules["halo"] == preset["halo"]
    assert brand.relaxing[:2] == ("contrast", "plants")
    assert brand.relaxing[-1] == "thirds"  # no place in the order: last


def test_the_presets_that_ship_can_be_read_and_say_what_their_channel_asks():
    assert presets() == ["lifestyle", "main_image"]
    main = {rule.name: rule for rule in read_brand("main_image").guidelines}
    assert (main["frame_share"].limit, main["longer_side"].limit) == (85, 1000)
    assert main["white_background"].strictness is Strictness.STRICT
    lifestyle = {rule.name: rule for rule in read_brand("lifestyle").guidelines}
    assert {lifestyle[name].strictness for name in ("text_area", "overlay_area")} == {Strictness.STRICT}
    assert not lifestyle["unasked_person"].pass_on


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("palette: ['#12345']\npreset: lifestyle", ["colour 1 of palette is '#12345'", "six hex digits"]),
        ("palette: ['#1f3a4d', red]\npreset: lifestyle", ["colour 2 of palette is 'red'"]),
        ("palette: [123456]\npreset: lifestyle", ["colour 1 of palette is 123456"]),
        ("palette: #1f3a4d\npreset: lifestyle", ["palette is empty", "a bare # begins a comment"]),
        ("palette: '#1f3a4d'\npreset: lifestyle", ["palette is no list"]),
        ("guidelines: {contrsat: strict}", ["guidelines.contrsat", "did you mean 'contrast'?"]),
        ("guidelines: {contrsat: off}\npreset: lifestyle", ["did you mean 'contrast'?"]),
        ("guidelines: {contrast: strickt}", ["guidelines.contrast: strictness is 'strickt'", "did you mean 'strict'?"]),
        ("guidelines: {contrast: {strictness: strict, limit: -3}}", ["limit is -3", "from 0 to 100 (ΔE2000)"]),
        ("guidelines: {contrast: {strictness: strict, limit: .nan}}", ["limit is nan"]),
        ("guidelines: {contrast: {strictness: strict, limit: '8'}}", ["limit is '8'"]),
        ("guidelines: {contrast: {strictness: strict, limit: true}}", ["limit is True"]),
        ("guidelines: {product_identity: {strictness: strict, limit: 5}}", ["from 0 to 0 (levels)"]),
        ("guidelines: {contrast: {strictness: flexible, relax: 0}}", ["relax is 0", "given up first"]),
        ("guidelines: {contrast: {strictness: strict, limits: 3}}", ["'limits' is none of", "did you mean 'limit'?"]),
        ("guidelines: {contrast: [strict]}", ["guidelines.contrast is ['strict']"]),
        ("guidelines: [contrast]", ["guidelines is no mapping"]),
        ("guidelines: {plants: strict}", ["guidelines.plants has no question and is no guideline"]),
        ("guidelines: {contrast: {strictness: strict, question: 'Is it clear?'}}", ["is measured", "another name"]),
        ("guidelines: {plants: {strictness: strict, question: 5}}", ["question is 5"]),
        ("guidelines: {plants: {strictness: strict, question: 'Are there?', pass_on: maybe}}", ["pass_on is 'maybe'"]),
        ("preset: lifestile", ["no preset 'lifestile'", "did you mean 'lifestyle'?"]),
        ("pallete: ['#1f3a4d']", ["'pallete' is none of", "did you mean 'palette'?"]),
        ("name: 5\npreset: lifestyle", ["name is 5"]),
        ("name: x", ["asks for no guideline"]),
        ("", ["asks for no guideline"]),
        ("name: a\nname: b", ["'name' stands there twice", "line 2"]),
        ("guidelines: {halo: strict, halo: weighted}", ["'halo' stands there twice"]),
        ("name: [", ["not YAML"]),
    ],
)
def test_a_bad_brand_file_is_one_sentence_with_file_key_and_remedy(tmp_path, text, parts):
    file = written(tmp_path, text)
    with pytest.raises(AdRefused) as refusal:
        read_brand(file)
    sentence = str(refusal.value)
    assert refusal.value.code is RefusalCode.BAD_BRAND
    assert str(file) in sentence
    assert sentence.endswith((".", "?")) and "\n" not in sentence
    for part in parts:
        assert part in sentence


@pytest.mark.parametrize("source", ["lifestile", "nowhere.yaml"])
def test_a_brand_that_is_nowhere_is_refused(source):
    with pytest.raises(AdRefused, match=r"lifestyle|cannot be read") as refusal:
        read_brand(source)
    assert refusal.value.code is RefusalCode.BAD_BRAND
