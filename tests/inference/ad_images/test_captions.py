"""Captions: the grammar's pass the check whatever the prompt; the check tells good from bad, whoever wrote it."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import SelvedgeError
from inference.ad_images.brief import write_brief
from inference.ad_images.caption_check import MOST_CHARACTERS, check_caption
from inference.ad_images.captions import CaptionWriter, write_caption
from inference.ad_images.decomposition import decompose
from inference.ad_images.request import AdRequest, ListedProduct
from inference.ad_images.themes import theme, theme_names
from tests.aws_front import DENIED, THROTTLED, AwsFront, converse_answer
from tests.inference.ad_images.prompts_for_tests import ordinary_prompts

SHOES = ListedProduct(7, "Fennick running shoes", "Sports Shoes", "Women", "Blue")
SHIRT = ListedProduct(8, "Fennick shirt", "Shirts", "Men", "Navy Blue")
GOOD = [
    "a pair of women's blue sports shoes on fine sand, a sandy beach with the sea out of focus, standing upright, late "
    "afternoon sun, camera just over the sand, summer campaign photography",
    "a red handbag on a marble worktop beside a cup of coffee, soft daylight from a window, 85 mm lens at f/2",
    "a men's navy blue shirt on a woven rug, laid out flat, window light from the left, top view with a 50 mm lens",
    "a teapot in a bright kitchen, morning light, minimal still life",
    "a leather belt on dark slate, a few pine cones, low evening sun, shallow depth of field",
    "a backpack against a mossy rock in a forest, leaning, sun through the leaves, natural photography",
]
BAD = {
    "place the shoes on a beach, warm light": "begins an instruction",
    "a pair of shoes on a beach, make it warm, film look": "begins an instruction",
    "a pair of shoes on a beach; add leaves around": "begins an instruction",
    "a pair of shoes that should stand on a beach": "speaks to somebody",
    "please, a pair of shoes on a beach": "speaks to somebody",
    "a pair of shoes on a beach without people": "denies",
    "a pair of shoes on a beach, no clouds": "denies",
    "a pair of shoes on a beach, never dark": "denies",
    "a pair of shoes on a beach, SALE banner in the corner": "is nothing that",
    "a pair of shoes on a beach, masterpiece, 8k": "is nothing that",
    "a pair of shoes on a beach with a woman walking": "is a person",
    "a pair of shoes on a fucking beach": "unsafe words",
    "a pair of shoes on a beach, <b>bold</b> light": "it holds a tag",
    "warm light, a pair of shoes on a beach": "the subject comes first",
    "on a beach at sunset, a pair of shoes": "the subject comes first",
    "a pair of shoes, warm light, film look": "no reference point",
    "a pair of shoes on a beach, film look, warm light": "light stands after style",
    "a pair of shoes on a beach, 85 mm lens, standing upright": "pose stands after camera",
    "a pair of shoes on sand, morning light, on a beach by the sea": "a place",
    "a pair of shoes on a beach,\nwarm light": "one line",
    "shoes": "names at least",
    "a bag on a rock, warm light": "does not name the subject",
    "a pair of shoes on a beach, " + "warm sand, " * 100: "1,024 are read",
}


def made(prompt: str | None, product: ListedProduct | None = SHOES, seed: int = 0, **words: object) -> str:
    brief = write_brief(AdRequest("r", b"photo", product, prompt, words.pop("theme", None), seed=seed))
    return write_caption(brief, decompose(prompt, brief), theme(brief.theme), **words)


@pytest.mark.parametrize("caption", GOOD)
def test_good_captions_have_no_fault(caption: str) -> None:
    assert check_caption(caption) == []


@pytest.mark.parametrize(("caption", "fault"), BAD.items())
def test_bad_captions_are_told_why(caption: str, fault: str) -> None:
    faults = check_caption(caption.removesuffix(", "), "a pair of shoes")
    assert any(fault in each for each in faults), faults


def test_captions_of_ordinary_prompts_pass_the_check() -> None:
    prompts = ordinary_prompts()[::4]
    captions = {prompt: made(prompt, (SHOES, SHIRT)[number % 2], number) for number, prompt in enumerate(prompts)}
    assert {prompt: check_caption(caption) for prompt, caption in captions.items() if check_caption(caption)} == {}


def test_every_theme_has_a_caption_for_what_stands_and_what_lies() -> None:
    for name in theme_names():
        for product, subject in ((SHOES, "a pair of women's blue sports shoes"), (SHIRT, "a men's navy blue shirt")):
            for seed in range(3):
                caption = made(None, product, seed, theme=name)
                assert check_caption(caption, subject) == [] and caption.startswith(f"{subject} on ")
                # what lies is seen from above, so that no horizon is asked for
                assert ("straight above" in caption or "top view" in caption) == (product is SHIRT)


@settings(max_examples=40)
@given(st.text(min_size=1, max_size=400).filter(str.strip))
def test_no_prompt_brings_a_fault_into_a_caption(prompt: str) -> None:
    assert check_caption(made(prompt)) == []


def test_the_prompts_place_and_mood_are_said_and_what_it_denies_is_not() -> None:
    caption = made("on a stone wall with roses, golden hour, film look, no people, without plants", theme="living_room")
    assert caption.startswith("a pair of women's blue sports shoes on a stone wall, roses, standing")
    assert "golden hour" in caption and "film look" in caption
    assert "people" not in caption and "plant" not in caption


def test_words_are_gained_and_lost_as_asked() -> None:
    assert "fallen leaves" in made(None, words=("fallen leaves",), theme="street")
    for seed in range(6):
        assert "lens" not in made(None, seed=seed, theme="street", without=("lens",))
    assert "draw" not in made(None, words=("draw a cat", "no shadow", "a woman"), theme="street")


def test_assets_that_will_be_seen_are_said() -> None:
    assert "a red lantern" in made(None, theme="street", assets=SimpleNamespace(words=("red lantern",)))


def test_a_long_prompt_stays_within_the_limit() -> None:
    caption = made(", ".join(f"stone wall number {number} {'very ' * 9}old" for number in range(20)))
    assert len(caption) <= MOST_CHARACTERS


@pytest.fixture(scope="module")
def front() -> Iterator[AwsFront]:
    with AwsFront() as server:
        yield server


@pytest.fixture
def writer(front: AwsFront) -> CaptionWriter:
    front.reset()
    return CaptionWriter(front.client("bedrock-runtime"), "some.model")


def test_a_models_caption_is_used_where_it_passes(front: AwsFront, writer: CaptionWriter) -> None:
    front.answer("Converse", converse_answer(f'"{GOOD[0]}"'))
    assert made(None, theme="beach", writer=writer) == GOOD[0]
    request = front.asked("Converse")[0]
    assert "subject: a pair of women's blue sports shoes" in request["messages"][0]["content"][0]["text"]


def test_a_refused_caption_is_asked_for_again_with_its_faults(front: AwsFront, writer: CaptionWriter) -> None:
    answers = iter(["Place the sports shoes on a beach", GOOD[0]])
    front.answer("Converse", lambda request: converse_answer(next(answers)))
    assert made(None, theme="beach", writer=writer) == GOOD[0]
    assert "begins an instruction" in front.asked("Converse")[1]["messages"][0]["content"][0]["text"]


def test_the_grammar_writes_after_two_refusals_or_without_an_answer(front: AwsFront, writer: CaptionWriter) -> None:
    grammar = made(None, theme="beach")
    front.answer("Converse", converse_answer("Place the shoes on a beach without people"))
    assert made(None, theme="beach", writer=writer) == grammar
    assert len(writer.refused) == 2 and len(writer.fallbacks) == 1
    front.fault("Converse", THROTTLED)
    assert made(None, theme="beach", writer=writer) == grammar and "ThrottlingException" in writer.fallbacks[1]
    front.fault("Converse", DENIED)
    with pytest.raises(SelvedgeError, match="grant bedrock:Converse"):
        made(None, theme="beach", writer=writer)
