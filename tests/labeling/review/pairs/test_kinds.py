"""Kinds: a side tells what was said and nothing else; a gold pair's error is plain."""

import re

import pandas as pd
import pytest

from catalog.errors import SelvedgeError
from labeling.review.pairs.kinds import AttributeCards, Descriptions
from labeling.review.pairs.planting import COLOUR_FAMILIES, contradict_text, contradicting_value
from labeling.review.pairs.products import Product, catalogue_labels
from tests.labeling.review.rounds_for_tests import attribute_table, description_table, photo, schema, true_labels

EVIL = '<script>alert("x")</script><img src=x onerror=alert(1)>'


def product(product_id: int = 1, **labels: str) -> Product:
    return Product(product_id, labels, lambda: photo(product_id), schema())


def test_a_card_lists_the_same_attributes_for_both() -> None:
    kind = AttributeCards()
    one = (("Colour", "Red"), ("Pattern", None))
    another = (("Colour", "Blue"), ("Season", "Summer"))
    first, second = (kind.render(side) for side in kind.level(one, another))
    assert (
        re.findall("<th>(.*?)</th>", first) == re.findall("<th>(.*?)</th>", second) == ["Colour", "Pattern", "Season"]
    )
    assert re.findall("<td>(.*?)</td>", first) == ["Red", "–", "–"]


def test_confidence_is_not_shown() -> None:
    kind, table = AttributeCards(), attribute_table(1)
    other = table.assign(confidence=1 - table["confidence"], model_uri="models:/x/3", model_digest="abc")
    for product_id, card in kind.read(table).items():
        assert kind.render(card) == kind.render(kind.read(other)[product_id])


def test_no_field_can_put_markup_on_the_page() -> None:
    cards = AttributeCards()
    table = pd.DataFrame([(1, EVIL, EVIL, False)], columns=["product_id", "attribute", "value", "abstained"])
    html = cards.render(cards.read(table)[1])
    assert set(re.findall(r"<(\w+)", html)) == {"table", "tr", "th", "td"}
    texts = Descriptions()
    html = texts.render(texts.read(pd.DataFrame([(1, EVIL)], columns=["product_id", "text"]))[1])
    assert set(re.findall(r"<(\w+)", html)) == {"p"}


def test_an_empty_description_is_a_dash() -> None:
    kind = Descriptions()
    table = pd.DataFrame([(1, None), (2, " \u200b ")], columns=["product_id", "text"])
    assert {kind.render(text) for text in kind.read(table).values()} == {'<p class="text">–</p>'}


@pytest.mark.parametrize("kind", [AttributeCards(), Descriptions()])
def test_tables_of_another_kind_are_told(kind: AttributeCards | Descriptions) -> None:
    with pytest.raises(SelvedgeError, match="has no column"):
        kind.read(pd.DataFrame({"product_id": [1]}))
    table = attribute_table(1) if isinstance(kind, AttributeCards) else description_table(1)
    with pytest.raises(SelvedgeError, match="twice"):
        kind.read(pd.concat([table, table]))


def test_a_planted_card_differs_in_one_value_that_the_catalogue_denies() -> None:
    kind, labels = AttributeCards(), true_labels()
    planted = 0
    for product_id, card in kind.read(attribute_table(1)).items():
        wrong = kind.plant(card, product(product_id, **labels[product_id]), 7)
        assert wrong == kind.plant(card, product(product_id, **labels[product_id]), 7)
        if wrong is None:
            continue
        planted += 1
        [(name, before, after)] = [(n, a, dict(wrong)[n]) for n, a in card if dict(wrong)[n] != a]
        assert before == labels[product_id][name] != after
        assert after in schema().attributes[name].vocabulary
    assert planted > 50


def test_what_the_catalogue_does_not_confirm_is_no_gold() -> None:
    kind = AttributeCards()
    assert kind.plant((("Colour", "Red"),), product(Colour="Blue"), 1) is None
    assert kind.plant((("Colour", None),), product(Colour="Blue"), 1) is None
    assert kind.plant((("Season", "Summer"),), product(Season="Summer"), 1) is None  # a matter of opinion
    assert kind.plant((("Colour", "Multi"),), product(Colour="Multi"), 1) is None


@pytest.mark.parametrize("label", schema().attributes["Colour"].vocabulary)
def test_a_colour_is_never_exchanged_for_one_like_it(label: str) -> None:
    for seed in range(20):
        value = contradicting_value(schema(), "Colour", label, str(seed))
        assert value is None or not any({label, value} <= family for family in COLOUR_FAMILIES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A navy blue shirt. The navy-blue cuffs close.", r"An? (\w+) shirt\. The (\w+) cuffs close\."),
        ("Navy blue, as ever.", r"([A-Z]\w+), as ever\."),
    ],
)
def test_a_text_says_the_other_colour_throughout(text: str, expected: str) -> None:
    wrong = contradict_text(schema(), "Colour", "Navy Blue", text, "1")
    assert wrong is not None
    match = re.fullmatch(expected, wrong)
    assert match and len({word.lower() for word in match.groups()}) == 1


def test_an_article_goes_with_its_noun() -> None:
    wrong = {contradict_text(schema(), "Article Type", "Shirts", "It is a shirt.", str(i)) for i in range(200)}
    assert all(wrong)
    assert all(re.search(r"\ban [aeiou]|\ba [^aeiou]", str(text), re.IGNORECASE) for text in wrong)


@pytest.mark.parametrize(
    "text", ["A shirt.", "A blue shirt with red cuffs.", "A bluebell shirt.", "A navy blue shirt."]
)
def test_a_text_that_does_not_plainly_say_it_is_no_gold(text: str) -> None:
    assert contradict_text(schema(), "Colour", "Blue", text, "1") is None


def test_labels_of_the_catalogue() -> None:
    pairs = pd.DataFrame({"product_id": [1, 1], "attribute": ["Colour", "Pattern"], "value": ["Red", "Solid"]})
    assert catalogue_labels(pairs) == {1: {"Colour": "Red", "Pattern": "Solid"}}
