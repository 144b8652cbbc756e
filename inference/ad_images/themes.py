"""Themes: the closed list of surroundings an ad can have, as themes.yaml states it.

Belongs here: reading and checking that file. Not here: choosing a theme for a product (brief.py), words of a caption
(captions.py), drawing one (backdrops/studio/).
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.errors import SelvedgeError
from catalog.yaml_files import read_yaml
from inference.ad_images.linear_light import of_hex
from inference.ad_images.scene import Light

FILE = Path(__file__).with_name("themes.yaml")
CAPTION_PARTS = ("environment", "light", "camera", "style")
TEXTS = ("words", "seasons", "usages", "articles")
LIGHT_RANGES = {"azimuth": (0, 360), "elevation": (10, 90), "softness": (0, 1), "warmth": (-1, 1)}
FIELDS = ("title", *TEXTS, "light", "horizon", "base_y", "reflectance", "palettes", "caption")


@dataclass(frozen=True)
class Theme:
    """One theme.

    Attributes:
        name: as requests write it. title: as people read it.
        words: lower-case words and phrases that name it in a prompt.
        seasons, usages, articles: values of the catalogue that it suits; articles are master categories,
            sub-categories or article types.
        light: the key light where the product suggests none.
        horizon, base_y: lowest and highest share of the height, from the top, at which floor and background meet, and
            at which products stand.
        reflectance: of the ground, 0 to 1.
        palettes: hex colours each: background, ground, accent, deep tone.
        caption: phrases for each of CAPTION_PARTS.
    """

    name: str
    title: str
    words: tuple[str, ...]
    seasons: tuple[str, ...]
    usages: tuple[str, ...]
    articles: tuple[str, ...]
    light: Light
    horizon: tuple[float, float]
    base_y: tuple[float, float]
    reflectance: float
    palettes: tuple[tuple[str, ...], ...]
    caption: Mapping[str, tuple[str, ...]]

    def palette_of(self, seed: int) -> tuple[str, ...]:
        """The palette that a scene of this seed takes."""
        return self.palettes[seed % len(self.palettes)]


def theme_names() -> tuple[str, ...]:
    """Names of all themes, in the file's order."""
    return tuple(_shipped())


def theme(name: str) -> Theme:
    """The theme of a name.

    Raises:
        SelvedgeError: there is none.
    """
    if name not in _shipped():
        raise SelvedgeError(f"there is no theme '{name:.40}'; choose one of {', '.join(theme_names())}.")
    return _shipped()[name]


def read_themes(file: Path) -> dict[str, Theme]:
    """The themes of a file, by name.

    Raises:
        SelvedgeError: the file, or one field of a theme, is not as the head of themes.yaml says.
    """
    themes = read_yaml(file, "list of themes", "see inference/ad_images/themes.yaml for one").get("themes")
    if not isinstance(themes, dict) or not themes:
        raise SelvedgeError(f"list of themes {file} names no themes; write them under `themes:`.")
    return {str(name): _Reading(file, str(name), fields).theme() for name, fields in themes.items()}


@functools.cache
def _shipped() -> dict[str, Theme]:
    return read_themes(FILE)


class _Reading:
    """The fields of one theme, checked one by one."""

    def __init__(self, file: Path, name: str, fields: object) -> None:
        self.where = f"theme {name} of {file}"
        self.name = name
        if not isinstance(fields, dict):
            raise SelvedgeError(f"{self.where} is no mapping; write {', '.join(FIELDS)} under it.")
        self.fields: dict[str, Any] = fields
        for field in FIELDS:
            if field not in fields:
                raise SelvedgeError(f"{self.where} lacks '{field}'; write it.")
        unknown = next((field for field in fields if field not in FIELDS), None)
        if unknown is not None:
            raise SelvedgeError(
                f"{self.where} has an unknown field '{unknown!s:.40}'; a theme has {', '.join(FIELDS)}."
            )

    def theme(self) -> Theme:
        words, seasons, usages, articles = (self.texts(field, self.fields[field]) for field in TEXTS)
        if any(word != word.lower() for word in words):
            raise SelvedgeError(f"{self.where}: 'words' are compared in lower case; write them so.")
        return Theme(
            self.name,
            self.text("title", self.fields["title"]),
            words,
            seasons,
            usages,
            articles,
            self.light(),
            self.share_range("horizon"),
            self.share_range("base_y"),
            self.number("reflectance", self.fields["reflectance"], 0, 1),
            self.palettes(),
            self.caption(),
        )

    def text(self, field: str, value: object) -> str:
        if not isinstance(value, str) or not value.strip():
            raise SelvedgeError(f"{self.where}: '{field}' holds {value!r:.40} where words belong.")
        return value.strip()

    def texts(self, field: str, value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not value:
            raise SelvedgeError(f"{self.where}: '{field}' is no list of words; write [one, two].")
        return tuple(self.text(field, item) for item in value)

    def number(self, field: str, value: object, least: float, most: float) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise SelvedgeError(f"{self.where}: '{field}' is {value!r:.40}; write a number from {least} to {most}.")
        return float(value)

    def share_range(self, field: str) -> tuple[float, float]:
        value = self.fields[field]
        if not isinstance(value, list) or len(value) != 2:
            raise SelvedgeError(f"{self.where}: '{field}' is no range; write [least, most], shares of the height.")
        least, most = (self.number(field, share, 0, 1) for share in value)
        if least > most:
            raise SelvedgeError(f"{self.where}: '{field}' begins at {least} and ends at {most}; write the least first.")
        return least, most

    def light(self) -> Light:
        value = self.fields["light"]
        if not isinstance(value, dict) or set(value) != set(LIGHT_RANGES):
            raise SelvedgeError(f"{self.where}: 'light' has {', '.join(LIGHT_RANGES)}, each a number; write all four.")
        return Light(**{part: self.number(part, value[part], *limits) for part, limits in LIGHT_RANGES.items()})

    def palettes(self) -> tuple[tuple[str, ...], ...]:
        value = self.fields["palettes"]
        if not isinstance(value, list) or not value:
            raise SelvedgeError(f"{self.where}: 'palettes' is no list; write one list of hex colours a line.")
        return tuple(self.palette(colours) for colours in value)

    def palette(self, value: object) -> tuple[str, ...]:
        colours = self.texts("palettes", value)
        for colour in colours:
            try:
                of_hex(colour)
            except SelvedgeError as error:
                raise SelvedgeError(f"{self.where}: 'palettes': {error}") from error
        if len(colours) < 4:
            raise SelvedgeError(
                f"{self.where}: a palette holds {len(colours)} colours; write background, ground, accent and deep tone."
            )
        return colours

    def caption(self) -> Mapping[str, tuple[str, ...]]:
        value = self.fields["caption"]
        if not isinstance(value, dict) or set(value) != set(CAPTION_PARTS):
            raise SelvedgeError(f"{self.where}: 'caption' has {', '.join(CAPTION_PARTS)}, each a list of phrases.")
        return {part: self.texts(part, value[part]) for part in CAPTION_PARTS}
