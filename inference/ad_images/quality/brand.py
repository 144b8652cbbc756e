"""Brands: a name, a palette and guidelines, read from a YAML file or taken from the presets that ship.

Belongs here: the file's form and every way in which it can be wrong. Not here: what a guideline measures
(measurements.py), which picture passes (control.py).

A file:

    name: Harbour & Pine
    palette: ["#1f3a4d", "#d9c7a3"]        # quoted: YAML takes a bare # for a comment
    preset: lifestyle                      # optional: guidelines to begin with
    guidelines:
      palette: {strictness: strict, limit: 15}
      contrast: {strictness: flexible, limit: 10, relax: 1}   # 1 is given up first
      thirds: weighted                     # the usual limit
      highlights: off                      # not asked, although the preset does
      plants:                              # no measurement: a question for a vision model
        strictness: flexible
        question: Are there fresh plants in the picture?
        pass_on: yes
"""

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from catalog.errors import SelvedgeError
from catalog.yaml_files import read_yaml
from inference.ad_images.finding import Strictness
from inference.ad_images.quality.guidelines import GUIDELINES
from inference.ad_images.refusal import AdRefused, RefusalCode

PRESETS = Path(__file__).parent / "presets"
FIELDS = ("name", "palette", "preset", "guidelines")
OF_A_GUIDELINE = ("strictness", "limit", "relax", "question", "pass_on")
HEX = re.compile(r"#[0-9a-fA-F]{6}")
MOST_COLOURS = 24
LONGEST_QUESTION = 300  # characters
LAST_RELAXED = 99


@dataclass(frozen=True)
class Guideline:
    """One rule.

    Attributes:
        limit: in the unit of guidelines.py; 1 for a question.
        relax: place in the order of relaxing, 1 first; only flexible ones are relaxed.
        question: for a vision model, "" where a measurement answers; pass_on: the answer that passes.
    """

    name: str
    strictness: Strictness
    limit: float
    relax: int = LAST_RELAXED
    question: str = ""
    pass_on: bool = True


@dataclass(frozen=True)
class Brand:
    """Who the ad is for, and what it must keep to.

    Attributes:
        palette: hex colours in lower case; empty where any background will do.
    """

    name: str
    palette: tuple[str, ...] = ()
    guidelines: tuple[Guideline, ...] = field(default_factory=tuple)

    @property
    def asks_for_white(self) -> bool:
        """Whether a background that is not pure white never passes: then the picture is a main image, and no scene."""
        return self._least("white_background") > 0

    @property
    def least_side(self) -> int:
        """Pixels that the longer side of every picture must have; 0 where any will do."""
        return math.ceil(self._least("longer_side"))

    def _least(self, name: str) -> float:
        strict = (rule for rule in self.guidelines if rule.strictness is Strictness.STRICT)
        return next((rule.limit for rule in strict if rule.name == name), 0.0)

    @property
    def relaxing(self) -> tuple[str, ...]:
        """Names of the flexible guidelines in the order in which they are given up."""
        flexible = [rule for rule in self.guidelines if rule.strictness is Strictness.FLEXIBLE]
        return tuple(rule.name for rule in sorted(flexible, key=lambda rule: rule.relax))

    def without(self, name: str) -> "Brand":
        """The same brand, one guideline not asked."""
        return replace(self, guidelines=tuple(rule for rule in self.guidelines if rule.name != name))


def presets() -> list[str]:
    """Names of the brand files that ship."""
    return sorted(file.stem for file in PRESETS.glob("*.yaml"))


def read_brand(source: str | Path) -> Brand:
    """A brand.

    Args:
        source: a YAML file, or the name of a preset ("lifestyle", "main_image").

    Raises:
        AdRefused: BAD_BRAND: no such preset or file, not YAML, an unknown field or guideline, a colour that is no hex
            colour, a limit out of range. The sentence names file, key and remedy.
    """
    file = Path(source)
    if str(source) in presets():
        file = PRESETS / f"{source}.yaml"
    elif not file.suffix and not file.exists():
        raise _bad(f"there is no brand preset '{source}'{_closest(str(source), presets())}; or name a YAML file")
    values = _read(file)
    where = f"brand file {file}"
    _known(values, FIELDS, where)
    name = values.get("name", file.stem)
    if not isinstance(name, str) or not name.strip():
        raise _bad(f"{where}: name is {name!r:.40}; write a text")
    return Brand(name.strip(), _palette(values, where), _guidelines(values, where))


def _read(file: Path) -> dict[str, Any]:
    try:
        return read_yaml(file, "brand file", "see inference/ad_images/quality/presets for one")
    except SelvedgeError as error:
        raise AdRefused(RefusalCode.BAD_BRAND, str(error)) from error


def _palette(values: Mapping[str, Any], where: str) -> tuple[str, ...]:
    colours = values.get("palette")
    if "palette" in values and colours is None:
        raise _bad(f"{where}: palette is empty; quote its colours ('#aabbcc'), a bare # begins a comment")
    if colours is None:
        return ()
    if not isinstance(colours, list) or len(colours) > MOST_COLOURS:
        raise _bad(f"{where}: palette is no list of at most {MOST_COLOURS} colours; write palette: ['#aabbcc', …]")
    for place, colour in enumerate(colours, start=1):
        if not isinstance(colour, str) or not HEX.fullmatch(colour):
            raise _bad(f"{where}: colour {place} of palette is {colour!r:.40}; write six hex digits, like '#1f3a4d'")
    return tuple(dict.fromkeys(colour.lower() for colour in colours))


def _guidelines(values: Mapping[str, Any], where: str) -> tuple[Guideline, ...]:
    rules: dict[str, Guideline] = {}
    preset = values.get("preset")
    if preset is not None:
        if preset not in presets():
            raise _bad(f"{where}: there is no preset {preset!r:.40}{_closest(str(preset), presets())}")
        rules = {rule.name: rule for rule in read_brand(str(preset)).guidelines}
    asked = values.get("guidelines", {})
    if asked is None:
        asked = {}
    if not isinstance(asked, dict):
        raise _bad(f"{where}: guidelines is no mapping; write lines like `contrast: strict`")
    for name, what in asked.items():
        key = f"{where}: guidelines.{name}"
        if what is False or what == "off":  # YAML reads a bare off as false
            _measured_or_preset(name, rules, key)
            rules.pop(name, None)
        else:
            rules[name] = _guideline(name, what, key, rules.get(name))
    if not rules:
        raise _bad(f"{where} asks for no guideline; add some, or `preset: lifestyle`")
    return tuple(rules.values())


def _measured_or_preset(name: Any, rules: Mapping[str, Guideline], key: str) -> None:
    if name not in GUIDELINES and name not in rules:
        raise _bad(f"{key} is no guideline{_closest(str(name), [*GUIDELINES, *rules])}")


def _guideline(name: Any, what: Any, key: str, before: Guideline | None) -> Guideline:
    fields = {"strictness": what} if isinstance(what, str) else what
    if not isinstance(fields, dict):
        raise _bad(f"{key} is {what!r:.40}; write strict, flexible, weighted, off or a mapping with `strictness`")
    _known(fields, OF_A_GUIDELINE, key)
    question = fields.get("question", before.question if before else "")
    if not question:
        _measured_or_preset(name, {}, f"{key} has no question and")
    elif name in GUIDELINES:
        raise _bad(f"{key} is measured; give the question another name")
    return Guideline(
        name=str(name),
        strictness=_strictness(fields, key, before),
        limit=1.0 if question else _limit(name, fields, key, before),
        relax=_whole(fields, "relax", before.relax if before else LAST_RELAXED, key),
        question=_question(question, key),
        pass_on=_yes(fields, before.pass_on if before else True, key),
    )


def _strictness(fields: Mapping[str, Any], key: str, before: Guideline | None) -> Strictness:
    word = fields.get("strictness", before.strictness.value if before else None)
    names = [strictness.value for strictness in Strictness]
    if word not in names:
        raise _bad(f"{key}: strictness is {word!r:.40}{_closest(str(word), names)}; write {', '.join(names)}")
    return Strictness(word)


def _limit(name: str, fields: Mapping[str, Any], key: str, before: Guideline | None) -> float:
    kind = GUIDELINES[name]
    limit = fields.get("limit", before.limit if before else kind.limit)
    number = isinstance(limit, (int, float)) and not isinstance(limit, bool) and math.isfinite(limit)
    if not number or not kind.lowest <= limit <= kind.highest:
        raise _bad(
            f"{key}: limit is {limit!r:.40}; write a number from {kind.lowest:g} to {kind.highest:g} ({kind.unit})"
        )
    return float(limit)


def _whole(fields: Mapping[str, Any], name: str, usual: int, key: str) -> int:
    number = fields.get(name, usual)
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= LAST_RELAXED:
        raise _bad(f"{key}: {name} is {number!r:.40}; write a whole number from 1 (given up first) to {LAST_RELAXED}")
    return number


def _question(question: Any, key: str) -> str:
    if not isinstance(question, str) or len(question) > LONGEST_QUESTION:
        raise _bad(
            f"{key}: question is {question!r:.40}; write a yes/no question of at most {LONGEST_QUESTION} characters"
        )
    return " ".join(question.split())


def _yes(fields: Mapping[str, Any], usual: bool, key: str) -> bool:
    answer = fields.get("pass_on", usual)
    if not isinstance(answer, bool):
        raise _bad(f"{key}: pass_on is {answer!r:.40}; write yes or no")
    return answer


def _known(values: Mapping[Any, Any], fields: tuple[str, ...], where: str) -> None:
    for name in values:
        if name not in fields:
            raise _bad(f"{where}: '{name!s:.40}' is none of {', '.join(fields)}{_closest(str(name), list(fields))}")


def _closest(word: str, names: list[str]) -> str:
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else f" (there are: {', '.join(names)})"


def _bad(sentence: str) -> AdRefused:
    end = "" if sentence.endswith((".", "?")) else "."
    return AdRefused(RefusalCode.BAD_BRAND, sentence + end)
