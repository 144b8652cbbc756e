"""Published products: cards of many types, each with the newest text and every answer beside the catalogue's own."""

import pandas as pd

from orchestration.report.home import Home
from orchestration.report.products import published_answers, read_published, varied_products
from tests.orchestration.report.small_home import DROP, SmallHome, products_table

ANSWERS = pd.DataFrame(
    [(1, "Colour", "Red", 0.9, False), (1, "Season", "Fall", 0.2, True), (2, "Colour", "Red", 0.7, False)],
    columns=["product_id", "attribute", "value", "confidence", "abstained"],
)


def test_types_take_turns_and_test_products_come_first():
    products = products_table(12)
    split_of = {product: "test" if product in (2, 3) else "train" for product in products["product_id"]}
    shown = varied_products(products, split_of, seed=3, most=4)
    assert list(shown["article_type"].head(2).sort_values()) == ["Jeans", "Shirts"]
    assert {2, 3} <= set(shown["product_id"].head(2))
    assert list(varied_products(products, split_of, 3, 4)["product_id"]) == list(shown["product_id"])
    assert len(varied_products(products, {}, 3, 99)) == 12


def test_every_answer_stands_beside_what_the_catalogue_says():
    pairs = pd.DataFrame([(1, "Colour", "Blue")], columns=["product_id", "attribute", "value"])
    answers = published_answers(ANSWERS, pairs)
    first, second = answers[1]
    assert (first.value, first.catalogue_value, first.abstained) == ("Red", "Blue", False)
    assert (second.catalogue_value, second.abstained, second.confidence) == (None, True, 0.2)
    assert len(answers[2]) == 1 and published_answers(ANSWERS.head(0), pairs) == {}


def test_a_card_has_the_newest_text_and_says_who_wrote_it(tmp_path):
    made = SmallHome(tmp_path)
    made.read_drop()
    texts = pd.DataFrame([(1, "old"), (1, "A red shirt."), (40, "of no product")], columns=["product_id", "text"])
    made.publish("inference/attributes", ANSWERS.assign(drop=DROP), DROP)
    made.publish("inference/descriptions", texts.assign(drop=DROP, writer="grammar"), DROP)
    published = read_published(Home(made.instance, made.settings), seed=1)
    [card] = published.cards
    assert (card.product_id, card.description, card.writer) == (1, "A red shirt.", "the grammar writer")
    assert card.split == "test" and len(card.answers) == 2 and card.photo.label == "Product 1"
    assert published.descriptions == 3 and published.abstained == 1 / 3


def test_a_home_that_published_nothing_shows_no_card(tmp_path):
    made = SmallHome(tmp_path)
    made.read_drop()
    published = read_published(Home(made.instance, made.settings), seed=1)
    assert (published.cards, published.descriptions, published.abstained) == ([], 0, 0.0)
