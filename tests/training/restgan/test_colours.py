"""The colour table: what shares a feature, what never does, and that it survives its file."""

import io
import json
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from catalog.drawn.colours import COLOURS
from catalog.errors import SelvedgeError
from catalog.lab import difference, lab_to_rgb
from training.restgan.colour_picture import picture_of_table
from training.restgan.colours import (
    NEUTRALS,
    ColourTable,
    build_colour_table,
    canonical,
    pairwise,
)

Shade = tuple[float, float, float]
LABS = st.tuples(st.floats(5, 95), st.floats(-60, 60), st.floats(-60, 60))
SHADES: dict[str, Shade] = {
    "navy blue": (21, 9, -32), "midnight": (19, 8, -29), "blue": (43, 10, -48), "red": (43, 63, 42),
    "white": (94, 0, 0), "off white": (92, 0.5, 5), "grey": (88, 0, 0), "black": (13, 0, -1),
}  # fmt: skip


def garments(shades: Mapping[str, Shade], each: int = 8, seed: int = 0) -> tuple[list[str], np.ndarray]:
    rng = np.random.default_rng(seed)
    names = [name for name in shades for _ in range(each)]
    return names, np.array([shades[name] for name in names], float) + rng.normal(0, 1, (len(names), 3))


def test_words_that_look_alike_share_a_cluster_and_others_do_not() -> None:
    table = build_colour_table(*garments(SHADES))
    assert table.cluster("navy blue") == table.cluster("midnight")
    assert table.cluster("white") == table.cluster("off white")
    assert len({table.cluster(word) for word in ("navy blue", "blue", "red", "white", "black")}) == 5


def test_black_grey_white_and_hues_never_share_a_cluster_however_near() -> None:
    near = {
        "black": (40, 0, 0),
        "grey": (41, 0, 0),
        "white": (42, 0, 0),
        "charcoal": (40.5, 0, 0),
        "navy blue": (40, 0, -1),
    }
    table = build_colour_table(*garments(near))
    assert len({table.cluster(word) for word in ("black", "grey", "white", "navy blue")}) == 4
    assert table.cluster("charcoal") == table.cluster("grey")


@settings(deadline=None, max_examples=30)
@given(
    st.lists(LABS, min_size=3, max_size=9),
    st.floats(3, 25),
)
def test_no_two_words_of_a_cluster_are_farther_apart_than_the_threshold(shades: list[Shade], threshold: float) -> None:
    names, colours = garments({f"shade{place}": shade for place, shade in enumerate(shades)}, each=5)
    try:
        table = build_colour_table(names, colours, threshold)
    except SelvedgeError:
        assert pairwise(np.array(shades)).max() < threshold + 12  # all alike
        return
    apart = pairwise(table.word_centres.astype(float))
    cluster = np.array(list(table.words.values()))
    same = cluster[:, None] == cluster[None]
    assert apart[same].max() <= threshold + 1e-3
    assert sorted(set(cluster)) == list(range(len(table)))
    assert np.isfinite(table.features()).all() and np.abs(table.features()).max() <= 1.1


def test_the_clusters_agree_with_complete_linkage_done_by_hand() -> None:
    names, colours = garments({n.lower(): colour.lab for n, colour in COLOURS.items() if n.lower() not in NEUTRALS})
    table = build_colour_table(names, colours, 20.0)
    apart = pairwise(table.word_centres.astype(float))
    piles = [{place} for place in range(len(table.words))]
    while True:
        farthest = [[apart[np.ix_(list(a), list(b))].max() for b in piles] for a in piles] + np.diag(
            [np.inf] * len(piles)
        )
        first, second = np.unravel_index(farthest.argmin(), farthest.shape)
        if farthest[first, second] > table.threshold:
            break
        piles[first] |= piles[second]
        del piles[second]
    clusters = np.array(list(table.words.values()))
    assert {frozenset(np.flatnonzero(clusters == k).tolist()) for k in set(clusters)} == set(map(frozenset, piles))
    assert 5 < len(piles) < len(table.words)


def test_a_catalogue_without_colours_is_refused() -> None:
    with pytest.raises(SelvedgeError, match="no colour"):
        build_colour_table(["multi", "", "red"], np.zeros((3, 3)))


def test_the_order_of_products_does_not_matter() -> None:
    names, colours = garments(SHADES)
    order = np.random.default_rng(3).permutation(len(names))
    shuffled = build_colour_table([names[place] for place in order], colours[order])
    assert shuffled.digest == build_colour_table(names, colours).digest


def test_a_cluster_is_named_by_its_most_frequent_word_and_the_largest_comes_first() -> None:
    names, colours = garments({"red": (43, 63, 42), "navy blue": (21, 9, -32)}, each=6)
    more, at = garments({"midnight": (20, 9, -31)}, each=9)
    table = build_colour_table([*names, *more], np.concatenate([colours, at]))
    assert table.names == ("midnight", "red")


def test_rare_names_multi_and_garments_without_pixels_take_no_part() -> None:
    names, colours = garments(SHADES)
    extra = ["teal"] * 4 + ["multi"] * 9 + [""] * 9 + ["wine"] * 9
    values = np.concatenate([colours, np.tile([50.0, -30.0, -5.0], (22, 1)), np.full((9, 3), np.nan)])
    table = build_colour_table([*names, *extra], values)
    assert set(table.words) == set(SHADES)
    assert [table.cluster(word) for word in ("teal", "multi", "", "wine", "blu", "whte")] == [-1] * 6


def test_other_spellings_lead_to_a_name_only_where_it_is_known() -> None:
    table = build_colour_table(*garments(SHADES))
    assert table.cluster("navy") == table.cluster("navy blue") >= 0
    assert table.cluster("gray") == table.cluster("grey") >= 0
    assert canonical("navy", {"navy", "navy blue"}) == "navy"
    assert canonical("turquoise", {"blue"}) == "turquoise"


@pytest.mark.parametrize("shades", [{"red": (43, 63, 42)}, {"white": (94, 0, 0), "off white": (92, 0.5, 5)}])
def test_one_colour_only_is_refused(shades: Mapping[str, Shade]) -> None:
    with pytest.raises(SelvedgeError, match="one colour only"):
        build_colour_table(*garments(shades))


def test_the_figures_are_those_of_the_garments() -> None:
    names, colours = garments(SHADES)
    table = build_colour_table(names, colours)
    cluster = np.array([table.cluster(name) for name in names])
    own = difference(colours, table.centres[cluster].astype(float))
    assert table.figures["within/median"] == pytest.approx(np.median(own), abs=1e-3)
    assert table.figures["within/median"] < table.figures["between/least"]
    assert 0.9 < table.figures["nearest"] <= 1


def test_a_table_survives_its_file_and_a_changed_one_is_refused() -> None:
    table = build_colour_table(*garments(SHADES))
    saved = json.loads(json.dumps(table.to_json()))
    again = ColourTable.from_json(saved)
    assert again.digest == table.digest
    assert (again.features() == table.features()).all() and dict(again.words) == dict(table.words)
    saved["words"]["red"] = saved["words"]["blue"]
    with pytest.raises(SelvedgeError, match="colour table"):
        ColourTable.from_json(saved)
    with pytest.raises(SelvedgeError, match="colour table"):
        ColourTable.from_json({})


def test_features_are_the_centres_scaled() -> None:
    table = build_colour_table(*garments(SHADES))
    white = table.features()[table.cluster("white")]
    assert white.dtype == np.float32 and white == pytest.approx([0.88, 0, 0], abs=0.03)


def test_the_picture_shows_every_clusters_swatch() -> None:
    names, colours = garments(SHADES, each=200)
    table = build_colour_table(names, colours)
    picture = np.asarray(Image.open(io.BytesIO(picture_of_table(table, names, colours))).convert("RGB"))
    shown = {tuple(pixel) for pixel in picture[:, 30]}
    assert {tuple(rgb) for rgb in lab_to_rgb(table.centres)} <= shown
