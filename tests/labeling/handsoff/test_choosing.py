"""The few pictures that people label lie close to all others, and are the same every time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import SelvedgeError
from catalog.files import png_bytes
from labeling.handsoff import choosing
from labeling.handsoff.choosing import choose_pictures, covering


def quiet(done, total, what):
    pass


def mean_colour(pictures):
    return pictures.mean(axis=(1, 2), dtype=np.float32)


def sources(colours):
    pictures = [np.full((12, 12, 3), colour, np.uint8) for colour in colours]
    return [(f"p{row}.png", lambda picture=picture: png_bytes(picture)) for row, picture in enumerate(pictures)]


def covered(features, chosen, longest):
    """How much shorter than the longest distance the ways to the nearest chosen row are, all together."""
    return sum(longest - min(np.linalg.norm(row - features[one]) for one in chosen) for row in features)


@given(st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_as_many_as_there_are_clusters_take_one_of_each(clusters, seed):
    draw = np.random.default_rng(seed)
    centres = 100 * np.array([[np.cos(a), np.sin(a)] for a in 2 * np.pi * np.arange(clusters) / clusters])
    of = np.concatenate([np.arange(clusters), draw.integers(0, clusters, 30)])
    features = centres[of] + draw.uniform(-1, 1, (len(of), 2))
    assert sorted(of[covering(features, clusters)]) == list(range(clusters))


@given(st.integers(3, 9), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_it_covers_nearly_as_well_as_the_best_choice(rows, number, seed):
    from itertools import combinations

    features = np.random.default_rng(seed).normal(size=(rows, 2))
    chosen = covering(features, number)
    assert len(set(chosen)) == number
    longest = max(np.linalg.norm(a - b) for a in features for b in features)
    best = max(covered(features, few, longest) for few in combinations(range(rows), number))
    assert covered(features, chosen, longest) >= (1 - 1 / np.e) * best - 1e-5


def test_the_first_of_a_larger_number_are_the_same_and_equal_features_are_not_chosen_twice():
    features = np.random.default_rng(1).normal(size=(40, 3))
    assert covering(features, 20)[:7] == covering(features, 7)
    assert sorted(covering(np.zeros((4, 2)), 9)) == [0, 1, 2, 3]


def test_rare_colours_are_chosen_equal_files_count_once_and_the_same_again_gives_the_same():
    of = sources([(0, 0, 250)] * 3 + [(0, 0, level) for level in range(230, 250)] + [(250, 0, 0), (0, 250, 0)])
    chosen, considered = choose_pictures(of, 3, mean_colour, 8, quiet)
    assert considered == len(of) - 2
    assert {"p23.png", "p24.png"} < {name for name, _ in chosen}
    assert [name for name, _ in choose_pictures(of, 3, mean_colour, 8, quiet)[0]] == [name for name, _ in chosen]
    assert len(choose_pictures(of[:3], 5, mean_colour, 8, quiet)[0]) == 1


def test_of_too_many_pictures_some_at_equal_distances_are_looked_at(monkeypatch):
    monkeypatch.setattr(choosing, "MOST_CANDIDATES", 5)
    read = []
    of = [
        (name, lambda name=name, r=r: (read.append(name), r())[1]) for name, r in sources([(k,) * 3 for k in range(9)])
    ]
    assert choose_pictures(of, 2, mean_colour, 8, quiet)[1] == 5
    assert read == ["p0.png", "p2.png", "p4.png", "p6.png", "p8.png"]


def test_a_picture_that_cannot_be_read_is_one_sentence(tmp_path):
    for read, words in (
        (lambda: b"x", "picture a.png does not decode"),
        ((tmp_path / "none").read_bytes, "cannot be read"),
    ):
        with pytest.raises(SelvedgeError, match=words):
            choose_pictures([("a.png", read)], 1, mean_colour, 8, quiet)
