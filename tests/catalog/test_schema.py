"""The attribute schema: the shipped one covers both catalogues, and one that contradicts itself is refused."""

import copy
import json
from pathlib import Path

import pytest
import yaml

from catalog.drawn import vocabulary
from catalog.drawn.colours import COLOURS
from catalog.errors import SelvedgeError
from catalog.schema import COARSE, COLUMNS, DETAILS, SHIPPED, AttributeSchema, load_schema
from tests.catalog.shops import products_table

SCHEMA = load_schema()


def test_every_drawn_value_is_in_the_vocabulary() -> None:
    for attribute, by_type in vocabulary.ATTRIBUTES.items():
        for article_type, weights in by_type.items():
            assert attribute in SCHEMA.applicable(article_type, DETAILS), (attribute, article_type)
            for value in weights:
                assert SCHEMA.value_of(attribute, value) == value, (attribute, value)
    for article_type, article in vocabulary.ARTICLES.items():
        assert article_type in SCHEMA.article_types
        assert SCHEMA.value_of("Master Category", article.master_category) == article.master_category
        assert SCHEMA.value_of("Sub Category", article.sub_category) == article.sub_category
        assert all(SCHEMA.value_of("Usage", usage) == usage for usage in article.usages)
        assert all(SCHEMA.value_of("Gender", gender) == gender for gender in article.genders)
    assert all(SCHEMA.value_of("Colour", colour) == colour for colour in COLOURS)


def test_drawn_products_are_asked_nothing_they_do_not_show() -> None:
    for article_type in vocabulary.ARTICLES:
        asked = set(SCHEMA.applicable(article_type, DETAILS)) - {"Colour"}
        assert asked == set(vocabulary.attributes_of(article_type)), article_type


def test_the_public_catalogue_is_covered() -> None:
    sizes = {name: len(SCHEMA.attributes[name].vocabulary) for name in ("Article Type", "Sub Category", "Colour")}
    assert sizes == {"Article Type": 143, "Sub Category": 45, "Colour": 46}  # the 47th colour is the literal "NA"
    assert len(SCHEMA.attributes["Master Category"].vocabulary) == 7


def test_questions_and_answers_have_the_published_form() -> None:
    assert SCHEMA.question("Sleeve Length", "Shirts") == "What is the sleeve length of the shirt in this picture?"
    assert SCHEMA.answer("Sleeve Length", "Long Sleeves") == "Sleeve Length: Long Sleeves"
    assert SCHEMA.question("Colour", None) == "What is the colour of the product in this picture?"


def test_no_question_gives_away_what_is_not_given() -> None:
    for article_type, noun in SCHEMA.article_types.items():
        for name, question in SCHEMA.asks(article_type, COLUMNS).items():
            assert noun not in question.removeprefix("What").split(), (name, question)
    assert "shirt" in SCHEMA.asks("Shirts", DETAILS)["Colour"]


@pytest.mark.parametrize(
    ("attribute", "written", "value"),
    [
        ("Sleeve Length", "long sleeves", "Long Sleeves"),
        ("Sleeve Length", "Three Quarter  Sleeves", "Three-Quarter Sleeves"),
        ("Sleeve Length", "Full Sleeves", "Long Sleeves"),
        ("Neck", "V Neck", "V-Neck"),
        ("Pattern", "Checks", "Checked"),
        ("Pattern", "Paisley", None),
    ],
)
def test_values_are_normalised(attribute: str, written: str, value: str | None) -> None:
    assert SCHEMA.value_of(attribute, written) == value


def test_the_schema_survives_json() -> None:
    back = AttributeSchema.from_dict(json.loads(json.dumps(SCHEMA.to_dict())))
    assert back == SCHEMA
    assert back.digest() == SCHEMA.digest()
    assert back.value_of("Neck", "crew neck") == "Round Neck"


def test_question_sets_are_chosen_by_the_share_of_described_products() -> None:
    described = {"attributes": [("Fit", "Slim Fit")]}
    rows = [{"product_id": i, **(described if i < 2 else {})} for i in range(10)]
    assert SCHEMA.choose_question_set(products_table(rows)) == DETAILS
    assert SCHEMA.choose_question_set(products_table(rows[1:])) == COLUMNS
    assert SCHEMA.choose_question_set(products_table(rows[:3]).to_pandas()) == DETAILS


def shipped() -> dict:
    return yaml.safe_load(SHIPPED.read_text())


def change(path: str, value: object) -> dict:
    data = copy.deepcopy(shipped())
    *outer, last = path.split("/")
    inner = data
    for key in outer:
        inner = inner[key]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("attributes/Neck/applies_to", ["Shirts", "Shrits"], "'Neck' applies to the unknown article type 'Shrits'"),
        (
            "question_sets/details/attributes",
            ["Necklace"],
            "question set 'details' names the unknown attribute 'Necklace'",
        ),
        ("question_sets/columns/given", ["price"], "gives the unknown column 'price'"),
        ("attributes/Fit/synonyms", {"Baggy": "Baggy Fit"}, "synonym 'Baggy' for 'Baggy Fit'"),
        ("attributes/Fit/vocabulary", ["Slim Fit", "slim-fit"], "'Slim Fit' twice"),
        ("attributes/Fit/vocabulary", [], "no vocabulary"),
        ("attributes/Fit/sources", ["sql:fit"], "unknown source 'sql:fit'"),
        ("attributes/Fit/sources", ["column:fit"], "unknown source 'column:fit'"),
        ("attributes/Fit/question", "What is the {colour} fit?", "placeholder other than"),
        ("attributes/Fit/question", None, "incomplete"),
        ("attributes", None, "incomplete"),
        ("format", 2, "has format 2"),
    ],
)
def test_a_schema_that_contradicts_itself_is_refused(tmp_path: Path, path: str, value: object, said: str) -> None:
    file = tmp_path / "attributes.yaml"
    file.write_text(yaml.safe_dump(change(path, value)))
    with pytest.raises(SelvedgeError, match=said) as caught:
        load_schema(file)
    assert "attributes.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_schema_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SelvedgeError, match="cannot be read"):
        load_schema(tmp_path / "none.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("attributes: [")
    with pytest.raises(SelvedgeError, match="is not YAML"):
        load_schema(broken)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(SelvedgeError, match="question set 'detail' is unknown"):
        SCHEMA.applicable("Shirts", "detail")
    with pytest.raises(SelvedgeError, match="attribute 'Necks'"):
        SCHEMA.question("Necks")
    assert SCHEMA.question_set(COARSE).attributes == ("Master Category", "Gender")


def test_no_two_values_are_one_when_spaces_and_plurals_do_not_matter() -> None:
    schema = load_schema()
    for attribute in schema.column_attributes.values():
        assert [attribute.category_of(value) for value in attribute.vocabulary] == list(attribute.vocabulary)
    types = schema.attributes["Article Type"]
    written = [
        "tshirt",
        "WATCH",
        "accessory gift sets",
        "Flipflops",
        "Lip-Care",
        "salwar & dupatta",
        "Kurti",
        "sports shoe",
        "Shirts\u200b",
        "\ufeffT\u2011Shirt",
        "Flip \u2013\u00a0Flops",
    ]
    meant = [
        "Tshirts",
        "Watches",
        "Accessory Gift Set",
        "Flip Flops",
        "Lip Care",
        "Salwar and Dupatta",
        "Kurtis",
        "Sports Shoes",
        "Shirts",
        "Tshirts",
        "Flip Flops",
    ]
    assert [types.category_of(text) for text in written] == meant
    assert types.category_of("Dress Shirts") is None and schema.attributes["Gender"].category_of("Women's") == "Women"
