"""The page: well-formed whatever a kind says, and a vote that is what the page would send."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import SelvedgeError
from labeling.review.label_page import VERDICTS, Pace, ballot_result, label_config, pair_task

PHOTO = "data:image/jpeg;base64,AAAA"
words = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn")), min_size=1, max_size=40)


@given(words.filter(str.strip), words, st.lists(words, max_size=10, unique=True), st.sampled_from(["html", "picture"]))
def test_any_words_make_well_formed_xml_with_every_key_once(question, guidelines, reasons, sides):
    root = ElementTree.fromstring(label_config(question, guidelines, reasons, sides))
    choices = {control.get("name"): [choice.get("hotkey") for choice in control] for control in root.iter("Choices")}
    assert choices["choice"] == ["1", "2", "3", "4"]
    assert len(choices.get("reasons", [])) == len(reasons)
    keys = [key for hotkeys in choices.values() for key in hotkeys]
    assert len(keys) == len(set(keys))
    fields = [tag.get("value") for tag in root.iter() if (tag.get("value") or "").startswith("$")]
    assert {"$photo", "$left", "$right"} <= set(fields)


def test_both_sides_are_rendered_by_the_same_tag():
    for sides in ("html", "picture"):
        root = ElementTree.fromstring(label_config("Which?", "", (), sides))
        left, right = (next(tag for tag in root.iter() if tag.get("name") == name) for name in ("left", "right"))
        assert left.tag == right.tag
        assert {**left.attrib, "name": "", "value": ""} == {**right.attrib, "name": "", "value": ""}


def test_two_pictures_and_what_they_are_held_against_stand_side_by_side():
    config = label_config("Which?", "", (), "picture")
    widths = [int(picture.get("width").removesuffix("px")) for picture in ElementTree.fromstring(config).iter("Image")]
    borders = 2 * 18 + 2 * 2 * 11  # gaps; padding and line of two sides
    assert len(widths) == 3 and sum(widths) + borders <= 1240 and f"flex-basis: {widths[0]}px" in config
    assert "flex-basis" not in label_config("Which?", "")


def test_the_page_says_its_keys_and_offers_letters_only_where_there_are_reasons():
    plain, reasoned = label_config("Which?", "<p>Look.</p>"), label_config("Which?", "", ["a", "b"])
    assert "Press 1, 2, 3 or 4, then Enter." in plain and "letters" not in plain and 'name="guide"' in plain
    assert "Press 1, 2, 3 or 4, letters for your reasons if you like, then Enter." in reasoned
    assert 'name="guide"' not in reasoned  # Label Studio shows nothing for an empty text


def test_a_page_that_asks_nothing_or_too_much_is_refused():
    with pytest.raises(SelvedgeError, match="a page without a question asks nothing"):
        label_config(" ", "")
    with pytest.raises(SelvedgeError, match="at most 10; there are 11"):
        label_config("Which?", "", [str(number) for number in range(11)])
    with pytest.raises(SelvedgeError, match="must differ"):
        label_config("Which?", "", ["a", "a"])


def test_a_task_names_nothing_and_compares_like_with_like():
    assert pair_task("k", PHOTO, "a", "b") == {"key": "k", "photo": PHOTO, "left": "a", "right": "b"}
    with pytest.raises(SelvedgeError, match="the photo of task k is no data URI"):
        pair_task("k", "https://bucket.example/blip2-v7/1.jpg", "a", "b")
    with pytest.raises(SelvedgeError, match="compares a picture with a text"):
        pair_task("k", PHOTO, PHOTO, "b")


def test_a_vote_is_one_of_the_pages_choices():
    assert [ballot_result(stored)[0]["value"]["choices"] for stored, _, _ in VERDICTS] == [
        ["left"],
        ["right"],
        ["tie"],
        ["both_bad"],
    ]
    assert [region["from_name"] for region in ballot_result("tie", ["too vague"])] == ["choice", "reasons"]
    with pytest.raises(SelvedgeError, match="choice 'Left' is none of left, right, tie, both_bad"):
        ballot_result("Left")


@pytest.mark.parametrize("sides", ["html", "picture"])
def test_label_studios_own_reading_of_the_page_accepts_it_and_exactly_its_votes(sides):
    from label_studio_sdk.label_interface import LabelInterface

    page = LabelInterface(label_config("Which?", "<p>Look.</p>", ["too vague"], sides))
    page.validate()
    assert {tag.name for tag in page.objects} == {"photo", "left", "right", "guide"}
    for stored, _, _ in VERDICTS:
        assert page.validate_annotation({"result": ballot_result(stored, ["too vague"])})
    assert page.to_json_schema()["required"] == ["choice"]
    assert not page.validate_annotation({"result": ballot_result("tie", ["a reason of another page"])})
    for shown in ("Left is better", "neither"):
        vote = ballot_result("left")
        vote[0]["value"]["choices"] = [shown]
        assert not page.validate_annotation({"result": vote})


def test_the_page_tells_how_many_pairs_there_are_and_how_fast_is_too_fast():
    pace = Pace(144, 1.5, 12.0)
    root = ElementTree.fromstring(label_config("Which?", "<p>Look.</p>", pace=pace))
    guide = root.find(".//HyperText[@name='guide']")
    assert root.get("className") == "sv sv-pairs-144 sv-least-1500 sv-words-120"
    assert guide is not None and "144 pairs" in guide.get("value", "")
    for said in ("within 1.5 seconds", "12 words a second", "a warning", "left out"):
        assert said in pace.told and said in guide.get("value", "")
