"""Titles: brand and noise go, gender, colour and type come, in the order a shopper would say them."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from training.restgan.titles import MAX_PLACES, choose_colour, colour_name, find_brands, line_names, word_sequences
from training.restgan.words import plain_words


def products(*rows: dict[str, Any]) -> pd.DataFrame:
    usual = {
        "gender": "Women", "article_type": "Trousers", "type": "pants", "base_colour": "Black", "brand": None,
        "variant": None, "attributes": {}, "product_display_name": "",
    }  # fmt: skip
    return pd.DataFrame([usual | row for row in rows])


def sequences(*rows: dict[str, Any]) -> list[str]:
    frame = products(*rows)
    return [" ".join(words) for words in word_sequences(frame, np.ones(len(frame), bool)).sequences]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"product_display_name": "Corvanne Women Petite Black Capri Pants"}, "women black pants petite capri"),
        ({"product_display_name": "Oak 21 Women's Trousers"}, "women black pants"),
        (
            {"product_display_name": "Do U Speak Green Men Blue Shorts", "gender": "Men", "base_colour": "Blue",
             "article_type": "Shorts", "type": "shorts"},
            "men blue shorts",
        ),
        ({"product_display_name": "Fennick Boys Solid Jeans", "gender": "Boys", "article_type": "Jeans",
          "type": "jeans"}, "boys black jeans solid"),
        ({"product_display_name": "", "article_type": "Track Pants"}, "women black pants track"),
        ({"product_display_name": None, "gender": None, "base_colour": None}, "pants"),
        ({"product_display_name": "Fennick Women Pack of 2 Black 3/4th Leggings 32 XL", "article_type": "Leggings"},
         "women black pants leggings"),
        ({"product_display_name": "Fennick Women Shorts Style Jeans"}, "women black pants"),
    ],
)  # fmt: skip
def test_a_title_becomes_what_a_shopper_would_say(row: dict[str, Any], said: str) -> None:
    assert sequences(row) == [said]


def test_the_brand_column_and_the_items_own_name_are_taken_out() -> None:
    row = {
        "brand": "Tamsin Grey", "variant": "Elsby Crest", "product_display_name": "Tamsin Grey Women Elsby Crest Pants",
    }  # fmt: skip
    assert sequences(row, {"base_colour": "Grey"})[0] == "women black pants"


def test_an_items_name_keeps_the_words_that_describe() -> None:
    row = {
        "variant": "Slim 1969",
        "product_display_name": "Gap Women Slim 1969 Pants",
        "attributes": {"Fit": "Slim Fit"},
    }
    assert sequences(row) == ["women black pants slim"]


def test_attributes_follow_unless_the_title_speaks_of_them() -> None:
    attributes = {"Pattern": "Checked", "Fit": "Slim Fit", "Closure": "NA", "Pocket Type": "No Pocket", "Care": "Wash"}
    row = {"product_display_name": "Fennick Women Striped Pants", "attributes": attributes}
    other = {"attributes": {"Pattern": "Striped"}}
    assert sequences(row, other)[0] == "women black pants striped slim fit"


def test_the_titles_colour_leads_and_the_columns_wins_among_several() -> None:
    assert choose_colour(["red"], "blue") == "red"
    assert choose_colour(["white", "blue"], "blue") == "blue"
    assert choose_colour(["white", "green"], "blue") == "white"
    assert choose_colour([], "blue") == "blue"
    assert choose_colour(["multi"], "blue") == "blue"
    assert choose_colour(["red"], "multi") == "red"
    assert choose_colour(["multi"], "") == "multi"


def test_a_column_of_several_colours_is_named_by_the_first() -> None:
    assert [colour_name(value) for value in ("Black/White", "Navy Blue & Red", "Off White", "NA", None, "")] == [
        "black", "navy blue", "off white", "", "", "",
    ]  # fmt: skip


def test_one_colour_stays_in_a_sequence_and_two_words_are_one_place() -> None:
    rows = (
        {"product_display_name": "Fennick Women Navy White Striped Pants", "base_colour": "Navy Blue"},
        {"base_colour": "White"},
    )
    frame = products(*rows)
    titles = word_sequences(frame, np.ones(2, bool))
    assert titles.colours == ["navy blue", "white"]
    assert titles.sequences[0] == ["women", "navy blue", "pants", "striped"]


def test_without_a_brand_column_the_brand_stands_before_the_gender() -> None:
    titles = [plain_words(text) for text in ("Peter England Men Blue Jeans", "Peter England Blue Jeans", "Blue Jeans")]
    assert find_brands(titles, [None, None, None]) == [("peter", "england"), ("peter", "england"), ()]
    assert find_brands(titles, [None, "Gap", None])[1] == ("gap",)


def test_words_that_one_brand_alone_uses_are_its_own() -> None:
    brands = [("lee",)] * 3 + [("gap",)] * 3 + [("tern",)] * 3
    titles = [["powell", "slim"]] * 3 + [["slim", "cargo"]] * 3 + [["cargo", "petite"]] * 3
    assert line_names(titles, brands, kept=["petite"]) == {"powell"}
    assert line_names(titles[:6], brands[:6], kept=[]) == frozenset()


def test_what_is_held_out_teaches_no_rule() -> None:
    rows = [{"brand": name, "product_display_name": f"{name} Women {line} Pants"}
            for name, line in (("Lee", "Powell"), ("Gap", "Cargo"), ("Tern", "Chino")) for _ in range(3)]  # fmt: skip
    frame = products(*rows)
    learn = np.array([True] * 3 + [False] * 6)
    assert word_sequences(frame, learn).sequences[0] == ["women", "black", "pants", "powell"]
    assert word_sequences(frame, np.ones(9, bool)).sequences[0] == ["women", "black", "pants"]


def test_a_long_title_is_cut() -> None:
    title = "Fennick Women " + " ".join(f"{letter}oo{letter}" for letter in "abcdefghijklmnopq")
    assert len(sequences({"product_display_name": title})[0].split()) == MAX_PLACES


def test_attributes_as_a_table_has_them_before_read_frame_are_refused_not_passed_over() -> None:
    with pytest.raises(TypeError, match="a list, not a mapping; read tables with read_frame"):
        sequences({"attributes": [("Fit", "Slim Fit")]})
    assert sequences({"attributes": None}) == sequences({"attributes": float("nan")}) == ["women black pants"]
