"""Answers are equal when a person would call them the same words, and never because one holds the other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.schema import load_schema
from evaluation.answers import normalise

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


def test_no_two_values_of_the_shipped_schema_have_one_normal_form():
    for attribute in load_schema().attributes.values():
        forms = {normalise(value): value for value in attribute.vocabulary}
        assert len(forms) == len(attribute.vocabulary)
        for synonym, value in attribute.synonyms.items():
            assert forms.get(normalise(synonym), value) == value
