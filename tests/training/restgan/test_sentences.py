"""A line of a shopper: what it denies or counts is taken out of it, whole, and named in its own words."""

import pytest

from catalog.errors import SelvedgeError
from tests.training.restgan.test_words import COLOURS
from training.restgan.words import build_vocabulary, read_line


def left(text: str) -> tuple[str, list[str]]:
    sentence = read_line(text)
    return sentence.wanted, [part.phrase for part in sentence.left_out]


@pytest.mark.parametrize(
    ("line", "wanted", "denied"),
    [
        ("blue jeans under $50 not skinny", "blue jeans", ["under $50", "not skinny"]),
        ("not skinny blue jeans", "jeans", ["not skinny blue"]),
        ("pants without flowers", "pants", ["without flowers"]),
        ("pants with no flowers, black", "pants with black", ["no flowers"]),
        ("jeans that aren't too skinny", "jeans that", ["aren't too skinny"]),
        ("jeans that isn’t skinny but loose", "jeans that but loose", ["isn’t skinny"]),
        ("anything except black jeans", "anything", ["except black jeans"]),
        ("anything but black, women pants", "women pants", ["anything but black"]),
        ("pants no stripes, dots or flowers", "pants", ["no stripes, dots or flowers"]),
        ("no floral print pants", "pants", ["no floral print"]),
        ("no jeans or shorts", "", ["no jeans or shorts"]),
        ("non-skinny jeans", "jeans", ["non-skinny"]),
        ("jeans -skinny", "jeans", ["-skinny"]),
        ("stripe-free pocket-less pants", "pants", ["stripe-free pocket-less"]),
        ("pants w/o pockets", "pants", ["w/o pockets"]),
        ("pants wihtout pockets", "pants", ["wihtout pockets"]),
        ("NOT SKINNY jeans", "jeans", ["NOT SKINNY"]),
        ("I don't want skinny jeans", "I jeans", ["don't want skinny"]),
        ("grey pants, never striped", "grey pants", ["never striped"]),
        ("pants other than black", "pants", ["other than black"]),
        ("blue jeans instead of black ones", "blue jeans", ["instead of black ones"]),
        ("darker than navy pants", "darker pants", ["than navy"]),
        ("less skinny jeans", "jeans", ["less skinny"]),
        ("neither black nor blue jeans", "jeans", ["neither black nor blue"]),
    ],
)  # fmt: skip
def test_what_is_denied_is_not_wanted(line: str, wanted: str, denied: list[str]) -> None:
    assert left(line) == (wanted, denied)


@pytest.mark.parametrize(
    ("line", "wanted", "counted"),
    [
        ("50% off jeans", "jeans", ["50% off"]),
        ("jeans less than 1,000 rupees", "jeans", ["less than 1,000 rupees"]),
        ("size 32 waist black pants", "black pants", ["size 32 waist"]),
        ("women pants size M", "women pants", ["size M"]),
        ("pants between $ 20 and 30", "pants", ["between $ 20 and 30"]),
        ("black pants XL.", "black pants", ["XL"]),
        ("levis 501 jeans", "levis jeans", ["501"]),
        ("jeans for €49.90, blue", "jeans for blue", ["€49.90"]),
        ("jeans 32x34 blue", "jeans blue", ["32x34"]),
    ],
)
def test_what_is_counted_is_named_and_not_wanted(line: str, wanted: str, counted: list[str]) -> None:
    assert left(line) == (wanted, counted)


@pytest.mark.parametrize(
    "line",
    [
        "women black pants",
        "either black or blue jeans",
        "off-white pants",
        "high-waist jeans within reach",
        "knot front pants",
    ],
)
def test_a_line_that_denies_nothing_is_wanted_whole(line: str) -> None:
    assert left(line) == (line.replace("-", " "), [])


def test_the_opposite_is_never_encoded() -> None:
    vocabulary = build_vocabulary([["slim", "jeans", "striped", "women", "black"]] * 5, COLOURS)
    read = vocabulary.encode("jeans not skinny, no stripes, without black", COLOURS)
    assert read.texts == ("jeans",)
    assert vocabulary.encode("I want jeans that are not slim but black", COLOURS).texts == ("jeans", "black")
    assert [part.phrase for part in read.left_out] == ["not skinny", "no stripes", "without black"]
    with pytest.raises(SelvedgeError, match="'not skinny' says only what is not wanted"):
        vocabulary.encode("not skinny", COLOURS)
    assert vocabulary.encode(["jeans", "not", "slim"], COLOURS).texts == ("jeans", "not", "slim")


def test_near_words_and_second_colours_are_told() -> None:
    vocabulary = build_vocabulary([["cropped", "slim"]] * 5, COLOURS)
    read = vocabulary.encode("black capri pants or red shorts, skinny", COLOURS)
    assert read.read_as == (("capri", "cropped"), ("skinny", "slim"))
    assert read.said_again == ("red", "shorts")
