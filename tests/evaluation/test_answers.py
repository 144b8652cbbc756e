"""Answers are equal when a person would call them the same words, and never because one holds the other."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import SelvedgeError
from catalog.schema import AttributeSchema, load_schema
from evaluation.answers import normalise, read_answer, resolve_answers

SAME = [
    ("T-shirts", "tshirt"),
    ("T shirt", "Tshirts"),
    ("Long Sleeves", "long-sleeve"),
    ("  Round   Neck", "Round_Neck"),
    ("Dresses", "dress"),
    ("Watches", "Watch"),
    ("Accessories", "accessory"),
    ("Lace-Up", "lace up"),
    ("3/4 Sleeves", "3/4 sleeve"),
]
DIFFERENT = [
    ("Sleeveless", "Sleeve"),
    ("Sleeveless", "Long Sleeves"),
    ("Shirts", "T-shirts"),
    ("3/4", "34"),
]


SCHEMA = AttributeSchema.from_dict(
    {
        "format": 1,
        "article_types": {"Shirts": "shirt"},
        "attributes": {
            "Sleeve Length": {
                "sources": ["json:Sleeve Length"],
                "applies_to": "all",
                "question": "What is the sleeve length of the {noun} in this picture?",
                "vocabulary": ["Long Sleeves", "Sleeveless"],
                "synonyms": {"full sleeves": "Long Sleeves"},
            },
            "Fit": {"sources": ["json:Fit"], "applies_to": "all", "question": "Fit?", "vocabulary": ["Slim Fit"]},
        },
        "question_sets": {"details": {"attributes": ["Sleeve Length", "Fit"], "given": ["article_type"]}},
    }
)


@pytest.mark.parametrize(("left", "right"), SAME)
def test_case_hyphen_space_and_plural_make_no_difference(left, right):
    assert normalise(left) == normalise(right)


@pytest.mark.parametrize(("left", "right"), DIFFERENT)
def test_a_part_of_an_answer_is_not_the_answer(left, right):
    assert normalise(left) != normalise(right)


@given(st.text(max_size=30))
def test_normal_form_ignores_case_and_surrounding_space(text):
    assert normalise(f"  {text} ") == normalise(text)
    assert normalise(text.upper()) == normalise(text.upper().lower())


def test_the_published_form_is_read_for_its_own_attribute_only():
    assert read_answer(SCHEMA, "Sleeve Length", "Sleeve Length: long sleeve") == "Long Sleeves"
    assert read_answer(SCHEMA, "Sleeve Length", "Full-Sleeve") == "Long Sleeves"
    assert read_answer(SCHEMA, "Sleeve Length", "Fit: Long Sleeves") is None
    assert read_answer(SCHEMA, "Sleeve Length", "sleeve") is None
    assert read_answer(SCHEMA, "Sleeve Length", None) is None
    with pytest.raises(SelvedgeError, match="attribute 'Hem' is not in the schema"):
        read_answer(SCHEMA, "Hem", "Round")


def test_resolving_marks_what_the_vocabulary_lacks_and_keeps_its_text():
    frame = pd.DataFrame(
        {
            "attribute": ["Sleeve Length", "Sleeve Length", "Sleeve Length", "Fit"],
            "value": ["full sleeves", "Bell Sleeves", None, "Fit: slim fits"],
        }
    )
    resolved = resolve_answers(frame, SCHEMA)
    assert resolved["value"].tolist()[:2] == ["Long Sleeves", "Bell Sleeves"]
    assert resolved["value"].isna().tolist() == [False, False, True, False]
    assert resolved["in_vocabulary"].tolist() == [True, False, False, True]


def test_no_two_values_of_the_shipped_schema_have_one_normal_form():
    for attribute in load_schema().attributes.values():
        forms = {normalise(value): value for value in attribute.vocabulary}
        assert len(forms) == len(attribute.vocabulary)
        for synonym, value in attribute.synonyms.items():
            assert forms.get(normalise(synonym), value) == value
