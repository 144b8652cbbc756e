"""Settings of any training job: dataclasses read from plain mappings (YAML) that may not hold an unknown key.

Belongs here: reading, the check of types and of declared ranges, writing them out as YAML with their ranges. Not here:
a job's settings (each family's settings.py), reading a YAML file (catalog/yaml_files.py).

A range is declared beside its field, as `Annotated[float, POSITIVE]`, and held whether the settings come from a file or
from code: before the first second of work, never after it.
"""

import dataclasses
import difflib
import json
import math
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from catalog.errors import SelvedgeError

Settings = TypeVar("Settings")
LARGEST = 2**63 - 1  # what numpy's and torch's whole numbers hold
LONGEST = 1000  # characters of a text; no path is longer
SHOWN = 60
DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d{1,2})?")


@dataclass(frozen=True)
class Range:
    """The numbers that a setting may have: from `low` to `high`, `low` and `high` themselves only if not `open`."""

    low: float = -math.inf
    high: float = math.inf
    open: bool = False
    multiple: int = 1

    def refusal(self, value: float) -> str:
        """What is wrong with a value, as the rest of a sentence; empty where nothing is."""
        if not math.isfinite(value):
            return "it must be a finite number"
        inside = self.low < value < self.high if self.open else self.low <= value <= self.high
        if not inside:
            return f"it must {self._bounds()}"
        return f"use a multiple of {self.multiple}" if self.multiple > 1 and value % self.multiple else ""

    def words(self) -> str:
        """For a comment: `above 0`, `between 0 and 1`."""
        bounds = self._bounds().removeprefix("lie ").removeprefix("be ").replace("not be below", "at least")
        return f"{bounds}, a multiple of {self.multiple}" if self.multiple > 1 else bounds

    def _bounds(self) -> str:
        if math.isfinite(self.low) and math.isfinite(self.high):
            return f"lie between {self.low:g} and {self.high:g}{', both excluded' if self.open else ''}"
        if math.isfinite(self.low):
            return f"be above {self.low:g}" if self.open else f"not be below {self.low:g}"
        return f"be below {self.high:g}" if self.open else f"not be above {self.high:g}"


@dataclass(frozen=True)
class Device:
    """The names that torch gives to devices; whether this machine has it is `refuse_absent_devices`."""

    def refusal(self, value: str) -> str:
        return "" if DEVICE.fullmatch(value) else f"use {self.words()}"

    def words(self) -> str:
        return "auto, cpu, cuda or cuda:0"


@dataclass(frozen=True)
class OneOf:
    """A few numbers."""

    values: tuple[int, ...]

    def refusal(self, value: int) -> str:
        return "" if value in self.values else f"use {self.words()}"

    def words(self) -> str:
        return f"one of {list(self.values)}"


POSITIVE = Range(0, open=True)
NOT_NEGATIVE = Range(0)
SHARE = Range(0, 1)
INNER_SHARE = Range(0, 1, open=True)
SEED = Range(0)
THREADS = Range(1, 1024)


def settings_of_file(kind: type[Settings], file: Path) -> Settings:
    """Settings of a YAML file.

    Raises:
        SelvedgeError: the file cannot be read, or holds a setting that is unknown or does not fit.
    """
    from catalog.yaml_files import read_yaml  # here, because a bare GPU machine may have no YAML

    return settings_from(kind, read_yaml(file, "settings"), str(file))


def settings_from(kind: type[Settings], values: Mapping[str, Any], where: str) -> Settings:
    """A settings dataclass from a plain mapping; nested mappings become nested settings.

    What a nested mapping leaves out keeps the value that it has where the whole mapping is left out. A setting may be
    given by the name that it had before (`RENAMED` of the dataclass): candidates that were opened then are trained now.

    Raises:
        SelvedgeError: naming the key in `where` that is unknown, of another type or out of its range.
    """
    fields = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(kind)
    renamed: Mapping[str, str] = getattr(kind, "RENAMED", {})
    given: dict[str, Any] = {}
    for name, value in ((renamed.get(name, name), value) for name, value in values.items()):
        if name not in fields:
            close = difflib.get_close_matches(str(name), sorted(fields), n=1)
            remedy = f"did you mean '{close[0]}'?" if close else f"known are {sorted(fields)}."
            raise SelvedgeError(f"{where}: setting '{name!s:.60}' is unknown; {remedy}")
        nested = fields[name].default_factory
        if dataclasses.is_dataclass(hints[name]) and nested is not dataclasses.MISSING and isinstance(value, Mapping):
            value = dataclasses.asdict(nested()) | dict(value)
        given[name] = _fit(hints[name], value, f"{where}: setting '{name}'")
    try:
        return kind(**given)
    except SelvedgeError as error:  # out of a range: told with the setting's whole name, so only the file is wanted
        raise SelvedgeError(f"{where.partition(': setting ')[0]}: {error}") from error


def hold_to_ranges(settings: Any, prefix: str = "") -> None:
    """Every field within what it is declared with; a dataclass calls it when it is made.

    Args:
        prefix: of the names in sentences, like `lora.`.

    Raises:
        SelvedgeError: naming the setting, its value and what it may be.
    """
    for name, rule in declared_ranges(type(settings)).items():
        value = getattr(settings, name)
        for device in value if isinstance(value, tuple) else () if value is None else (value,):
            wrong = rule.refusal(device)
            if wrong:
                shown = repr(device) if isinstance(device, str) else str(device)
                raise SelvedgeError(f"setting {prefix}{name} is {shown:.60}; {wrong}.")


def refuse_absent_devices(settings: Any, prefix: str = "") -> None:
    """Whether this machine has the device that the settings name: asked before a job, not after its preparation.

    Raises:
        SelvedgeError: it has not.
    """
    rules = declared_ranges(type(settings))
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if dataclasses.is_dataclass(value):
            refuse_absent_devices(value, f"{prefix}{field.name}.")
        elif isinstance(rules.get(field.name), Device) and value not in ("auto", "cpu"):
            from training.devices import device_is_there

            if not device_is_there(value):
                raise SelvedgeError(f"setting {prefix}{field.name} is {value!r}; this machine has no such device.")


def as_yaml(settings: Any, indent: str = "") -> str:
    """Every setting as YAML, in the order of declaration, each with what it may be behind it."""
    rules, hints = declared_ranges(type(settings)), typing.get_type_hints(type(settings))
    lines = []
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if dataclasses.is_dataclass(value):
            lines += [f"{indent}{field.name}:", as_yaml(value, f"{indent}  ").rstrip("\n")]
            continue
        written = json.dumps(list(value) if isinstance(value, tuple) else value)
        rule = rules.get(field.name)
        allowed = "; ".join(part for part in (_kind_words(hints[field.name]), rule.words() if rule else "") if part)
        lines.append(f"{indent}{field.name}: {written}  # {allowed}")
    return "\n".join(lines) + "\n"


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as `lora.rank: 8`, the way MLflow shows parameters."""
    values: dict[str, Any] = {}
    for name, value in settings.items():
        values |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return values


def declared_ranges(kind: type[Any]) -> dict[str, Any]:
    """The declared range of each field that has one."""
    values: dict[str, Any] = {}
    for name, hint in typing.get_type_hints(kind, include_extras=True).items():
        for part in (hint, *typing.get_args(hint)):
            marks = [mark for mark in getattr(part, "__metadata__", ()) if isinstance(mark, Range | Device | OneOf)]
            if marks:
                values[name] = marks[0]
    return values


def _kind_words(hint: Any) -> str:
    """A type in words."""
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        others = [part for part in arguments if part is not type(None)]
        return f"{_kind_words(others[0])} or null"
    if typing.get_origin(hint) is Literal:
        return "one of " + ", ".join(str(value) for value in arguments)
    if typing.get_origin(hint) is tuple:
        return f"list of {_kind_words(arguments[0])}"
    return {int: "whole number", float: "number", bool: "true or false", str: "text"}.get(hint, "")


def _fit(hint: Any, value: Any, where: str) -> Any:
    """`value` as `hint` wants it, or a sentence."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, Mapping):
            raise SelvedgeError(f"{where} must be a mapping of names to values.")
        return settings_from(hint, value, where)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in arguments:
            return None
        return _fit(next(a for a in arguments if a is not type(None)), value, where)
    if origin is Literal:
        if not isinstance(value, str | int) or value not in arguments:
            raise SelvedgeError(f"{where} is {_shown(value)}; use one of {list(arguments)}.")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple) or not value:
            raise SelvedgeError(f"{where} is {_shown(value)}; give a list of at least one value.")
        return tuple(_fit(arguments[0], item, where) for item in value)
    return _plain(hint, value, where)


def _plain(hint: Any, value: Any, where: str) -> Any:
    """A number, a text or a truth value."""
    if hint is float:
        return _number(value, where)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise SelvedgeError(f"{where} is {_shown(value)}; give a value of type {hint.__name__}.")
    if hint is int and abs(value) > LARGEST:
        raise SelvedgeError(f"{where} is too large a number; give one below {LARGEST:.0e}.")
    if hint is str and (len(value) > LONGEST or not value.isprintable() or not value.strip()):
        raise SelvedgeError(f"{where} is {_shown(value)}; give a text of 1 to {LONGEST} printable characters.")
    return value


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise SelvedgeError(f"{where} is {_shown(value)}; give a number.")
    try:
        number = float(value)  # YAML 1.1 reads 2e-3 as text
    except (ValueError, OverflowError):
        raise SelvedgeError(f"{where} is {_shown(value)}; give a number.") from None
    if not math.isfinite(number):
        raise SelvedgeError(f"{where} is {_shown(value)}; give a finite number.")
    return number


def _shown(value: Any) -> str:
    """A value for a sentence: of a mapping or a list only that it is one, for aliases can make them endless."""
    if isinstance(value, Mapping | list | tuple | set):
        return "a mapping" if isinstance(value, Mapping) else f"a list of {len(value)}"
    if isinstance(value, int) and abs(value) > LARGEST:
        return "a very large number"
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
