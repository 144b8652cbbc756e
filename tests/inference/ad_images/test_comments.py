"""A reviewer's words and where they lead."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.ad_images.adjustments import Adjustment, Stage
from inference.ad_images.comments import route_comment

AGAIN = (Stage.BACKGROUND, Stage.COMPOSITING, Stage.QUALITY, Stage.RANKING)
PLACED = (Stage.COMPOSITION, *AGAIN)
NEW_WORDS = (Stage.GUARDRAILS, Stage.DECOMPOSITION, Stage.RETRIEVAL, Stage.CAPTION, *AGAIN)
THEMES = ("beach", "forest", "studio", "kitchen_table")


def changed(comment):
    """Fields of the adjustment that are not as usual."""
    usual = Adjustment()
    adjustment = route_comment(comment, THEMES)
    return {name: value for name, value in vars(adjustment).items() if value != getattr(usual, name)}


@pytest.mark.parametrize(
    ("comment", "fields", "stages"),
    [
        ("too small", {"scale": 1.25}, PLACED),
        ("The shirt is too small!", {"scale": 1.25}, PLACED),
        ("a bit too small", {"scale": 1.125}, PLACED),
        ("much too big", {"scale": 1 / 1.5}, PLACED),
        ("make it 40% bigger", {"scale": 1.4}, PLACED),
        ("make it 20 percent smaller", {"scale": 0.8}, PLACED),
        ("zoom in", {"scale": 1.25}, PLACED),
        ("more to the left", {"shift": -0.12}, PLACED),
        ("move it right", {"shift": 0.12}, PLACED),
        ("it is too far right", {"shift": -0.12}, PLACED),
        ("move it 20% to the left", {"shift": -0.2}, PLACED),
        ("put it in the middle", {"center": True}, PLACED),
        ("a little lower please", {"down": 0.03}, PLACED),
        ("too high", {"down": 0.06}, PLACED),
        ("turn it", {"turn": 15.0}, PLACED),
        ("turn it to the left", {"turn": -15.0}, PLACED),
        ("it is crooked", {"straighten": True}, PLACED),
        ("shadow too dark", {"softness": 0.25}, AGAIN),
        ("the shadow's too weak", {"softness": -0.25}, AGAIN),
        ("no shadow", {"softness": -0.25}, AGAIN),
        ("It looks like it is floating", {"softness": -0.25}, AGAIN),
        ("the shadow is on the wrong side", {"mirror_light": True}, AGAIN),
        ("shadow too long", {"elevation": 15.0}, AGAIN),
        ("light should come from the right", {"light_from": 30.0}, AGAIN),
        ("warmer please", {"warmth": 0.3}, AGAIN),
        ("too blue", {"warmth": 0.3}, AGAIN),
        ("wrong colours, use our palette", {"palette": True}, AGAIN),
        ("other background", {"scene_seed": 7919, "next_theme": True}, None),
        ("I don't like the background", {"scene_seed": 7919, "next_theme": True}, None),
        ("I want it on the beach", {"theme": "beach"}, None),
        ("show it on a kitchen table", {"theme": "kitchen_table"}, None),
        ("not the beach", {"next_theme": True}, None),
        ("there is a white edge around it", {"cut_again": True}, (Stage.CUTOUT, *PLACED)),
        ("the handle is missing", {"cut_again": True}, (Stage.CUTOUT, *PLACED)),
        (
            "I want leaves on the ground",
            {"words": ("leaves on the ground",), "scene_seed": 7919, "checked_words": False},
            NEW_WORDS,
        ),
        ("no plants", {"without": ("plants",), "scene_seed": 7919, "checked_words": False}, NEW_WORDS),
        ("remove the flowers", {"without": ("flowers",), "scene_seed": 7919, "checked_words": False}, NEW_WORDS),
        ("I don't want any people", {"without": ("people",), "scene_seed": 7919, "checked_words": False}, NEW_WORDS),
    ],
)
def test_a_remark_goes_to_the_stages_it_concerns_and_to_no_other(comment, fields, stages):
    near = {name: pytest.approx(value) if isinstance(value, float) else value for name, value in fields.items()}
    assert changed(comment) == near
    if stages is not None:
        assert route_comment(comment, THEMES).stages == tuple(stage for stage in Stage if stage in stages)


@pytest.mark.parametrize(
    ("comment", "names"),
    [
        ("too small and the shadow is too dark", {"scale", "softness"}),
        ("Larger, more to the left, and turn it", {"scale", "shift", "turn"}),
        ("it's fine but the background is boring", {"scene_seed", "next_theme"}),
        ("brighter; no plants; a bit higher", {"elevation", "words", "without", "scene_seed", "down", "checked_words"}),
        ("I like it. Make it smaller and move it to the right", {"scale", "shift"}),
    ],
)
def test_several_remarks_are_all_heard(comment, names):
    assert set(changed(comment)) == names


@pytest.mark.parametrize(
    "comment",
    ["not too small", "it isn't too dark", "don't turn it", "the shadow is not too dark", "looks good", "Great!"],
)
def test_a_negated_complaint_and_praise_change_nothing(comment):
    assert changed(comment) == {}
    assert route_comment(comment).stages == ()
    assert route_comment(comment).sentence == "nothing changes"


@pytest.mark.parametrize(
    ("comment", "fields"), [("not large enough", {"scale": 1.25}), ("not warm enough", {"warmth": 0.3})]
)
def test_not_enough_asks_for_more(comment, fields):
    assert changed(comment) == fields


@pytest.mark.parametrize("comment", ["wie schön", "xyzzy", "make the shirt red", "42", "the shadow", ""])
def test_what_no_rule_understands_is_said_and_changes_nothing(comment):
    adjustment = route_comment(comment)
    assert adjustment.unknown
    assert adjustment.stages == ()
    assert "not understood" in adjustment.sentence


def test_what_is_understood_counts_beside_what_is_not():
    adjustment = route_comment("too small, xyzzy")
    assert adjustment.scale == 1.25
    assert adjustment.unknown == ("xyzzy",)


def test_words_of_a_person_pass_the_guardrails_before_they_enter_a_caption():
    assert Stage.GUARDRAILS in route_comment("add a naked man").stages
    assert Stage.GUARDRAILS not in route_comment("too small").stages


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=3000))
def test_any_text_is_routed_without_an_error_in_bounded_words(text):
    adjustment = route_comment(text, THEMES)
    assert 0.05 < adjustment.scale < 200 or adjustment.unknown
    assert all(len(words.split()) <= 8 for words in (*adjustment.words, *adjustment.without))
