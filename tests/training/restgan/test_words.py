"""Words: normalising, what each says, the vocabulary, and every query that is refused."""

import contextlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import SelvedgeError
from tests.training.restgan.synthetic import synthetic_colours, synthetic_vocabulary
from training.restgan.words import (
    ATTRIBUTES,
    GENDERS,
    TYPES,
    UNKNOWN,
    Vocabulary,
    build_vocabulary,
    join_colours,
    meaning,
    plain_words,
    read_words,
    stack_queries,
)

COLOURS = synthetic_colours()
VOCABULARY = synthetic_vocabulary(COLOURS)


def test_possessives_accents_case_and_punctuation_are_evened_out() -> None:
    assert plain_words("Women’s Café-Jeans, BOYS' (Straße)") == ["women", "cafe", "jeans", "boys", "strasse"]


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("women's black pants petite capri", ["women", "black", "pants", "petite", "capri"]),
        ("Ladies BLACK trousers", ["women", "black", "pants"]),
        ("mens jean size 32 XL 100%", ["men", "jeans"]),
        ("boys shorts", ["boys", "shorts"]),
        ("navy blue pants", ["navy blue", "pants"]),
        ("Navy pants", ["navy blue", "pants"]),
        ("a pair of gray jeans for men", ["grey", "jeans", "men"]),
        ("black and red striped shorts", ["black", "striped", "shorts"]),
        ("jeans pants jeans", ["jeans"]),
        ("black pants capris with pockets", ["black", "pants", "capri", "pocket"]),
    ],
)
def test_a_text_is_read_as_a_shopper_means_it(text: str, places: list[str]) -> None:
    table = synthetic_colours(6)
    assert read_words(text, table.words) == places


def test_two_words_are_one_colour_only_where_the_table_has_the_pair() -> None:
    assert join_colours(["off", "white", "navy", "blue"], {"navy blue", "white"}) == ["off", "white", "navy blue"]


def test_each_word_mentions_its_attribute_from_its_place_on() -> None:
    clusters, mentioned, labels = meaning(["slim", "black", "jeans", "men", "striped"], COLOURS)
    assert clusters.tolist() == [-1, COLOURS.cluster("black"), -1, -1, -1]
    assert mentioned.astype(int).tolist() == [[0, 0, 0], [0, 1, 0], [1, 1, 0], [1, 1, 1], [1, 1, 1]]
    assert labels.tolist() == [TYPES.index("jeans"), COLOURS.cluster("black"), GENDERS.index("men")]


def test_leggings_are_pants_unless_a_type_is_named() -> None:
    assert meaning(["leggings", "red"], COLOURS)[2].tolist() == [TYPES.index("pants"), COLOURS.cluster("red"), -1]
    _, mentioned, labels = meaning(["capri", "jeans"], COLOURS)
    assert labels[0] == TYPES.index("jeans")
    assert mentioned[:, 0].tolist() == [False, True]


def test_multi_is_a_colour_word_without_a_colour() -> None:
    places = read_words("multicolour shorts", COLOURS.words)
    clusters, mentioned, labels = meaning(places, COLOURS)
    assert places == ["multi", "shorts"]
    assert clusters.tolist() == [-1, -1]
    assert labels[1] == -1 and not mentioned[:, 1].any()


def test_an_unknown_colour_word_is_an_unknown_word_however_near_its_spelling() -> None:
    query = VOCABULARY.encode("blac rred pants", COLOURS)
    assert query.words.tolist() == [UNKNOWN, UNKNOWN, VOCABULARY.id_of("pants")]
    assert query.colour_words.tolist() == [-1, -1, -1]
    assert query.labels[1] == -1


def test_a_detail_that_is_not_known_is_read_as_its_near_one_and_said_once() -> None:
    vocabulary = build_vocabulary([["slim", "cropped", "striped"]] * 5, COLOURS)
    assert vocabulary.encode("women black pants petite capri", COLOURS).texts[3:] == ("petite", "cropped")
    assert vocabulary.encode("slim skinny jeans", COLOURS).texts == ("slim", "jeans")
    of_its_own = build_vocabulary([["capri", "cropped"]] * 5, COLOURS)
    assert of_its_own.encode("red capris", COLOURS).texts == ("red", "capri")
    of_neither = build_vocabulary([], COLOURS)
    assert of_neither.encode("red capris", COLOURS).words[1] == UNKNOWN


@given(
    st.lists(
        st.sampled_from([*VOCABULARY.words[2:], "womens", "navy", "frobnicated", "with", "42"]), min_size=1, max_size=12
    )
)
def test_mentions_only_grow_and_labels_are_what_is_mentioned(words: list[str]) -> None:
    try:
        query = VOCABULARY.encode(words, COLOURS)
    except SelvedgeError:
        assert not set(words) & {*VOCABULARY.words, "womens", "navy"}
        return
    assert query.words.shape == query.colour_words.shape == (query.length,) == (len(query.texts),)
    assert query.mentioned.shape == (query.length, len(ATTRIBUTES))
    assert (query.mentioned[1:] >= query.mentioned[:-1]).all()
    assert (query.mentioned[-1] == (query.labels >= 0)).all()
    assert len(set(query.texts)) == query.length
    again = VOCABULARY.encode(" ".join(query.texts), COLOURS)
    assert again.texts == query.texts and (again.labels == query.labels).all()


@given(st.lists(st.sampled_from(["men", "red", "shorts", "slim", "striped"]), min_size=2, max_size=5, unique=True))
def test_the_prefix_of_a_query_reads_as_the_query_does_so_far(words: list[str]) -> None:
    whole = VOCABULARY.encode(words, COLOURS)
    for length in range(1, len(words)):
        prefix = VOCABULARY.encode(words[:length], COLOURS)
        assert (prefix.words == whole.words[:length]).all()
        assert (prefix.mentioned == whole.mentioned[:length]).all()


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("", "empty"),
        ("  \n ", "empty"),
        ([], "empty"),
        ("xyzzy plugh", "none of the words"),
        ("32 xl the", "none of the words"),
        ("!!! ...", "none of the words"),
        ("black " * 500, "500 words"),
        ("b" * 3000, "3,000 characters"),
        ("<b>black</b> jeans", "markup"),
        ("black &amp; jeans", "markup"),
        ("black {{jeans}}", "markup"),
        ("чёрные джинсы", "not Latin"),
        ("black 牛仔裤", "not Latin"),
        ("black جينز", "not Latin"),
    ],
)
def test_a_query_that_cannot_be_read_is_refused_in_one_sentence(query: str | list[str], says: str) -> None:
    with pytest.raises(SelvedgeError, match=says) as refused:
        VOCABULARY.encode(query, COLOURS)
    sentence = str(refused.value)
    assert sentence.endswith(".") and "\n" not in sentence and len(sentence) < 220


@given(st.text(max_size=80))
def test_any_text_is_either_read_or_refused(text: str) -> None:
    with contextlib.suppress(SelvedgeError):
        assert VOCABULARY.encode(text, COLOURS).length >= 1


def test_the_vocabulary_is_ordered_by_frequency_and_always_knows_the_classes() -> None:
    sequences = [["men", "blue", "jeans", "slim"]] * 3 + [["women", "wine", "shorts", "rare"]] * 2 + [["wine"]] * 9
    vocabulary = build_vocabulary(sequences, COLOURS, minimum_count=3)
    assert vocabulary.words[:2] == ("<pad>", "<unknown>")
    assert vocabulary.words[2:6] == ("blue", "jeans", "men", "slim")
    assert {*TYPES, *GENDERS, *COLOURS.words} <= set(vocabulary.words)
    assert vocabulary.id_of("rare") == UNKNOWN
    assert vocabulary.id_of("wine") == UNKNOWN  # a colour without a feature is not learnt as a plain word
    assert build_vocabulary(reversed(sequences), COLOURS, minimum_count=3) == vocabulary


def test_a_vocabulary_survives_its_file_and_a_changed_one_is_refused() -> None:
    saved = json.loads(json.dumps(VOCABULARY.to_json()))
    assert Vocabulary.from_json(saved) == VOCABULARY
    saved["words"][2], saved["words"][3] = saved["words"][3], saved["words"][2]
    with pytest.raises(SelvedgeError, match="vocabulary"):
        Vocabulary.from_json(saved)


def test_queries_of_different_lengths_stack_into_one_batch() -> None:
    batch = stack_queries([VOCABULARY.encode(text, COLOURS) for text in ("red", "men black shorts slim")])
    assert batch["words"].shape == (2, 4) and batch["lengths"].tolist() == [1, 4]
    assert batch["words"][0, 1:].tolist() == [0, 0, 0]
    assert batch["colour_words"][0].tolist() == [COLOURS.cluster("red"), -1, -1, -1]
    assert (batch["mentioned"][0] == np.array([False, True, False])).all()
    assert batch["labels"][0].tolist() == [-1, COLOURS.cluster("red"), -1]
