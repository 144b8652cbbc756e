"""Decomposition: the rules on English prompts, a model's answer held to schema and prompt, its failures borne."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import SelvedgeError
from inference.ad_images.brief import write_brief
from inference.ad_images.decomposition import SCHEMA, Decomposer, by_rules, decompose, read_entities
from inference.ad_images.request import AdBrief, AdRequest, ListedProduct
from tests.aws_front import DENIED, MALFORMED, THROTTLED, AwsFront, converse_answer

SHOES = ListedProduct(7, "Fennick running shoes", "Sports Shoes", gender="Women", colour="Blue")
PROMPT = "on a wooden floor beside a plant, warm morning light"
ANSWER = {"product": "", "background": ["wooden floor", "plant"], "themes": ["warm morning light"]}


def brief(prompt: str | None, product: ListedProduct | None = SHOES) -> AdBrief:
    return write_brief(AdRequest("a", b"photo", product, prompt))


@pytest.fixture(scope="module")
def front() -> Iterator[AwsFront]:
    with AwsFront() as server:
        yield server


@pytest.fixture
def model(front: AwsFront) -> Decomposer:
    front.reset()
    return Decomposer(front.client("bedrock-runtime"), "some.model")


@pytest.mark.parametrize(
    ("prompt", "product", "background", "themes", "denied"),
    [
        ("on a sandy beach at sunset with the sea in the background", "", ("sandy beach", "sea"), ("sunset",), ()),
        ("black running shoes on a floor, warm light", "black running shoes", ("floor",), ("warm light",), ()),
        ("sneakers with white laces on a rock", "sneakers with white laces", ("rock",), (), ()),
        ("please place it on a wooden table", "", ("wooden table",), (), ()),
        ("I would like a beach please", "", ("beach",), (), ()),
        ("no people, a forest in the morning", "", ("forest",), ("morning",), ("people",)),
        ("a secret garden with roses", "", ("secret garden", "roses"), (), ()),
        ("Scene: kitchen counter. Style: minimal", "", ("kitchen counter",), ("minimal",), ()),
        ("a rock, 85 mm lens at f/1.8, without snow", "", ("rock",), ("85 mm lens", "f/1.8"), ("snow",)),
        ("", "", (), (), ()),
    ],
)
def test_rules_take_english_prompts_apart(prompt, product, background, themes, denied) -> None:
    entities = by_rules(prompt)
    assert (entities.product, entities.background, entities.themes, entities.denied) == (
        product,
        background,
        themes,
        denied,
    )


def test_the_product_is_the_listed_one_unless_the_prompt_names_it() -> None:
    assert decompose(PROMPT, brief(PROMPT)).product == "a pair of women's blue sports shoes"
    assert decompose(None, brief(None)).product == "a pair of women's blue sports shoes"
    mug = decompose("a mug on a table", brief("a mug on a table"))
    assert mug.product == "a pair of women's blue sports shoes" and mug.background == ("mug", "table")
    assert decompose("blue shoes on ice", brief("blue shoes on ice")).product == "blue shoes"
    own = decompose("a mug on a table", brief("a mug on a table", None))
    assert own.product == "mug" and own.background == ("table",)


def test_a_reader_of_photographs_names_what_no_prompt_names() -> None:
    entities = decompose(PROMPT, brief(PROMPT, None), product_words=lambda photo: "A red shirt")
    assert entities.product == "red shirt"


@given(st.text(max_size=300))
def test_any_prompt_is_taken_apart_within_bounds(prompt: str) -> None:
    entities = by_rules(prompt)
    for phrase in (*entities.background, *entities.themes, *entities.denied):
        assert phrase and len(phrase.split()) <= 12
    assert max(map(len, (entities.background, entities.themes, entities.denied))) <= 5


def test_a_model_is_asked_with_the_schema_and_its_answer_used(front: AwsFront, model: Decomposer) -> None:
    front.answer("Converse", converse_answer(tool_input=ANSWER))
    entities = decompose(PROMPT, brief(PROMPT), model)
    assert entities.source == "some.model" and entities.background == ("wooden floor", "plant")
    request = front.asked("Converse")[0]
    tool = request["toolConfig"]["tools"][0]["toolSpec"]
    assert tool["inputSchema"]["json"] == SCHEMA and request["toolConfig"]["toolChoice"] == {"tool": {"name": "answer"}}
    assert f"<prompt>{PROMPT}</prompt>" in request["messages"][0]["content"][0]["text"]


def test_what_the_prompt_does_not_say_is_left_out_of_a_models_answer() -> None:
    given_more = {**ANSWER, "background": ["wooden floor", "nike store"], "product": "gold watch"}
    entities = read_entities(given_more, PROMPT, "m")
    assert entities.background == ("wooden floor",) and entities.product == ""


@pytest.mark.parametrize(
    "answer",
    [
        converse_answer("I cannot do that"),
        converse_answer('{"product": "x", "background": ['),
        converse_answer('{"product": "x"}'),
        converse_answer(tool_input={**ANSWER, "background": "floor"}),
        converse_answer(tool_input={**ANSWER, "product": 3}),
        converse_answer(tool_input=[1]),
        converse_answer(tool_input={**ANSWER, "more": []}),
    ],
)
def test_a_broken_answer_is_asked_for_once_more_and_then_the_rules_answer(front, model, answer) -> None:
    front.answer("Converse", answer)
    entities = decompose(PROMPT, brief(PROMPT), model)
    assert entities.source == "rules" and entities.background == ("wooden floor", "plant")
    assert len(front.asked("Converse")) == 2 and len(model.fallbacks) == 1


def test_json_in_the_text_serves_where_a_model_uses_no_tool(front: AwsFront, model: Decomposer) -> None:
    text = 'Here it is: {"product": "", "background": ["plant"], "themes": []}'
    front.answer("Converse", converse_answer(text))
    assert decompose(PROMPT, brief(PROMPT), model).background == ("plant",)


@pytest.mark.parametrize("fault", [THROTTLED, MALFORMED])
def test_a_service_that_does_not_answer_leaves_it_to_the_rules(front, model, fault) -> None:
    front.fault("Converse", fault)
    assert decompose(PROMPT, brief(PROMPT), model).source == "rules"
    assert "some.model" in model.fallbacks[0]


def test_a_model_that_is_not_granted_is_one_sentence(front: AwsFront, model: Decomposer) -> None:
    front.fault("Converse", DENIED)
    with pytest.raises(SelvedgeError, match=r"grant bedrock:Converse"):
        decompose(PROMPT, brief(PROMPT), model)
