"""Specifications: what a product is must depend on its seed and id alone, and must not be guessable from its type."""

from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.drawn import sample_spec
from catalog.drawn.colours import COLOURS, nearest_name
from catalog.drawn.labels import labels_of
from catalog.drawn.vocabulary import ARTICLES, ATTRIBUTES, attributes_of
from catalog.errors import SelvedgeError

seeds = st.integers(0, 2**31)
ids = st.integers(0, 10**7)


@given(seeds, ids)
def test_a_spec_holds_exactly_what_its_article_type_shows(seed: int, product_id: int) -> None:
    spec = sample_spec(seed, product_id)
    assert list(spec.attributes) == attributes_of(spec.article_type)
    assert all(value in ATTRIBUTES[name][spec.article_type] for name, value in spec.attributes.items())
    assert spec.gender in ARTICLES[spec.article_type].genders
    assert spec == sample_spec(seed, product_id)


@given(seeds, ids)
def test_a_colour_lies_nearest_to_its_own_name(seed: int, product_id: int) -> None:
    spec = sample_spec(seed, product_id)
    assert nearest_name(spec.base_lab) == spec.base_colour


@given(seeds, ids)
def test_names_carry_no_comma_so_that_only_planted_ones_break_a_row(seed: int, product_id: int) -> None:
    spec = sample_spec(seed, product_id)
    assert "," not in spec.display_name
    assert spec.brand in spec.display_name
    assert spec.variant in spec.display_name


def test_products_of_one_item_differ_in_colour_or_are_taken_again() -> None:
    items = defaultdict(list)
    for product_id in range(1200):
        spec = sample_spec(5, product_id)
        items[spec.item_key].append(spec)
    sizes = Counter(len(members) for members in items.values())
    assert sizes[1] > 0 and sizes[2] > 0 and sizes[4] > 0
    for members in items.values():
        assert len({(m.article_type, m.gender, tuple(m.attributes.items())) for m in members}) == 1
        assert len({(m.base_colour, m.shot) for m in members}) == len(members)
        kept = [m for m in members if not m.relisted]
        assert len({(m.brand, m.variant) for m in kept}) == 1
    assert any(m.relisted for members in items.values() for m in members)


def test_every_value_of_every_attribute_occurs() -> None:
    seen = {
        (spec.article_type, name, value)
        for spec in (sample_spec(1, product_id) for product_id in range(7000))
        for name, value in spec.attributes.items()
    }
    wanted = {
        (article, name, value)
        for name, by_type in ATTRIBUTES.items()
        for article, weights in by_type.items()
        for value in weights
    }
    assert wanted <= seen
    assert {sample_spec(1, product_id).base_colour for product_id in range(2000)} == set(COLOURS)


def test_type_and_gender_alone_say_little() -> None:
    """Macro-F1 of the majority value of (type, gender), averaged over attributes: the floor to leave behind."""
    rows = defaultdict(list)
    for product_id in range(4000):
        spec = sample_spec(2, product_id)
        for name, value in spec.attributes.items():
            rows[name].append(((spec.article_type, spec.gender), value))
    scores = []
    for answers in rows.values():
        by_group = defaultdict(Counter)
        for group, value in answers:
            by_group[group][value] += 1
        guesses = [by_group[group].most_common(1)[0][0] for group, _ in answers]
        truths = [value for _, value in answers]
        f1 = []
        for value in set(truths):
            hits = sum(t == g == value for t, g in zip(truths, guesses, strict=True))
            f1.append(2 * hits / (truths.count(value) + guesses.count(value)))
        scores.append(sum(f1) / len(f1))
    assert sum(scores) / len(scores) < 0.36


def test_label_noise_has_the_rate_it_states_and_can_be_switched_off() -> None:
    specs = [sample_spec(3, product_id) for product_id in range(1500)]
    cells = wrong = 0
    for spec in specs:
        assert labels_of(spec, 0.0).attributes == spec.attributes
        assert labels_of(spec, 0.0).base_colour == spec.base_colour
        noisy = labels_of(spec, 0.07)
        cells += 1 + len(spec.attributes)
        wrong += noisy.base_colour != spec.base_colour
        wrong += sum(noisy.attributes[name] != value for name, value in spec.attributes.items())
    assert 0.055 < wrong / cells < 0.085


def test_an_unknown_style_is_refused() -> None:
    with pytest.raises(SelvedgeError, match="style 'cubist' is unknown"):
        sample_spec(1, 1, "cubist")
