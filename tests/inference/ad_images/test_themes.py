"""The list of themes: whole, and an odd field is told in one sentence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from catalog.errors import SelvedgeError
from inference.ad_images.themes import FILE, read_themes, theme, theme_names


def _changed(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    themes = {"studio": yaml.safe_load(FILE.read_text("utf-8"))["themes"]["studio"]}
    change(themes["studio"])
    file = tmp_path / "themes.yaml"
    file.write_text(yaml.safe_dump({"themes": themes}), "utf-8")
    return file


def test_every_theme_says_how_it_is_named_lit_and_captioned() -> None:
    assert {"studio", "living_room", "street", "beach", "forest", "kitchen", "snow", "desk"} <= set(theme_names())
    for name in theme_names():
        entry = theme(name)
        assert entry.name == name
        assert entry.horizon[1] < entry.base_y[0], "products stand on the floor, not over it"
        assert all(len(palette) >= 4 for palette in entry.palettes)
        assert len(", ".join(max(phrases, key=len) for phrases in entry.caption.values())) < 700
        assert 20 < entry.light.azimuth < 160, "light comes from above"


def test_a_word_names_one_theme() -> None:
    words = [word for name in theme_names() for word in theme(name).words]
    assert len(words) == len(set(words))


def test_seeds_go_round_the_palettes() -> None:
    entry = theme("studio")
    assert {entry.palette_of(seed) for seed in range(len(entry.palettes))} == set(entry.palettes)


def test_an_unknown_theme_is_answered_with_the_known_ones() -> None:
    with pytest.raises(SelvedgeError, match=r"no theme 'moon'; choose one of studio, .*beach"):
        theme("moon")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda entry: entry.pop("words"), "lacks 'words'"),
        (lambda entry: entry.update(colour="red"), "unknown field 'colour'"),
        (lambda entry: entry.update(words=[]), "'words' is no list of words"),
        (lambda entry: entry.update(words=["Studio"]), "lower case"),
        (lambda entry: entry.update(title=7), "'title' holds 7"),
        (lambda entry: entry.update(horizon=[0.7, 0.5]), "write the least first"),
        (lambda entry: entry.update(horizon=0.5), "'horizon' is no range"),
        (lambda entry: entry.update(base_y=[0.5, 1.5]), "'base_y' is 1.5"),
        (lambda entry: entry.update(reflectance=True), "'reflectance' is True"),
        (lambda entry: entry["light"].update(elevation=5), "'elevation' is 5"),
        (lambda entry: entry["light"].pop("warmth"), "write all four"),
        (lambda entry: entry.update(palettes=[["#12345g"] * 4]), "'#12345g' is no colour"),
        (lambda entry: entry.update(palettes=[["#123456"]]), "holds 1 colours"),
        (lambda entry: entry.update(palettes="red"), "'palettes' is no list"),
        (lambda entry: entry["caption"].pop("style"), "'caption' has environment"),
    ],
)
def test_an_odd_field_is_told_in_one_sentence(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], sentence: str
) -> None:
    with pytest.raises(SelvedgeError, match="theme studio of ") as error:
        read_themes(_changed(tmp_path, change))
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", ["themes: {}", "beach: 1", "themes: {studio: 3}"])
def test_a_file_without_themes_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "themes.yaml"
    file.write_text(content, "utf-8")
    with pytest.raises(SelvedgeError, match="themes"):
        read_themes(file)
