"""What the corpus says about a picture: true, everyday, and never in the catalogue's own words."""

import numpy as np
import pytest

from catalog.drawn.vocabulary import ARTICLES, ATTRIBUTES, values_of
from catalog.schema import load_schema
from tests.training.blip2.pretraining.overlap import forbidden_texts, offences, shared_words
from training.blip2.pretraining.facts import KINDS, Fact, ask
from training.blip2.pretraining.garment_text import KINDS_OF_GARMENT, NOUNS, TOPICS
from training.blip2.pretraining.pictures import describe_garment, describe_world, sample_sentences, text_rng
from training.blip2.pretraining.recipe import Recipe
from training.blip2.pretraining.words import TONGUES, tongue_word


@pytest.fixture(scope="module")
def sentences() -> list[str]:
    return sample_sentences(Recipe(), 500)[0]


def test_no_sentence_holds_a_question_or_a_value_of_the_catalogue(sentences):
    assert offences(sentences, load_schema()) == []


def test_a_forbidden_text_would_be_found():
    schema = load_schema()
    planted = [
        "a shirt with Short  sleeves, blue",
        "Question: what is the neck type of the T-shirt in this picture? Answer:",
    ]
    assert {text for text, _ in offences(planted, schema)} == {
        "short sleeves",
        "what is the neck type of the t shirt in this picture",
    }
    assert "sleeve length long sleeves" in forbidden_texts(schema)


def test_shared_single_words_are_everyday_words(sentences):
    # Colours and a few nouns cannot be avoided; no name of a cut, a cloth or a fastening is among them.
    shared = set(shared_words(sentences, load_schema()))
    values = {value.lower() for name in ATTRIBUTES for value in values_of(name)}
    assert "blue" in shared
    assert not shared & values


def test_every_drawn_value_has_everyday_phrases_and_no_two_share_one():
    assert set(TOPICS) == set(ATTRIBUTES)
    assert set(KINDS_OF_GARMENT) == set(NOUNS) == set(ARTICLES)
    for name, topic in TOPICS.items():
        assert set(topic.values) == set(values_of(name))
        phrases = [phrase for said in topic.values.values() for phrase in said]
        assert len(phrases) == len(set(phrases)), name


@pytest.mark.parametrize("describe", [describe_garment, describe_world])
def test_facts_are_consistent(describe):
    for number in range(60):
        rng = text_rng(3_000_000_000, number)
        described = describe(3_000_000_000, number, rng)
        for fact in described.facts:
            wrong = {phrase for other in fact.others for phrase in other}
            assert not wrong & set(fact.answers), fact
            assert all(question.strip() and not question.endswith("?") for question in fact.questions)


FACT = Fact(
    "reach", "far", ("how far does it reach",), ("to the end",), (("to the middle",), ("nowhere",)), "reaching {a}"
)


def test_kinds_of_question_answer_what_they_ask():
    rng = np.random.default_rng(5)
    for kind, _ in KINDS:
        for _ in range(20):
            asked = ask(FACT, rng, kind)
            assert asked.answer and asked.question
            if kind == "choice":
                assert asked.answer == "to the end" and "to the end" in asked.question
            if kind == "truth":
                said_truth = "to the end" in asked.question
                assert asked.answer.startswith(("true", "yes") if said_truth else ("false", "no"))
            if kind == "form":
                assert asked.answer == "Reach: To The End"
            if kind == "renaming":
                assert f"to the end is called {asked.answer}" in asked.question


def test_tongues_always_say_the_same_and_differ():
    assert tongue_word("Quen", "reach/far") == tongue_word("Quen", "reach/far")
    assert len({tongue_word(tongue, "reach/far") for tongue in TONGUES}) == len(TONGUES)
