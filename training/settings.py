"""Settings of any training job: dataclasses read from plain mappings (YAML) that may not hold an unknown key.

Belongs here: reading and the check of types. Not here: a job's settings and their ranges (each family's settings.py).
"""

import dataclasses
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml

from catalog.errors import SelvedgeError

Settings = TypeVar("Settings")


def load_settings(kind: type[Settings], file: Path) -> Settings:
    """Settings of a YAML file.

    Raises:
        SelvedgeError: the file is missing or not a mapping, a key is unknown, or a value is of another type.
    """
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise SelvedgeError(f"settings {file} cannot be read ({error}); give a YAML file.") from error
    if values is not None and not isinstance(values, Mapping):
        raise SelvedgeError(f"settings {file} is not a mapping of names to values; write `name: value` lines.")
    return settings_from(kind, values or {}, str(file))


def settings_from(kind: type[Settings], values: Mapping[str, Any], where: str) -> Settings:
    """A settings dataclass from a plain mapping; nested mappings become nested settings.

    What a nested mapping leaves out keeps the value that it has where the whole mapping is left out.

    Raises:
        SelvedgeError: naming the key in `where` that is unknown or of another type.
    """
    fields = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(kind)
    given: dict[str, Any] = {}
    for name, value in values.items():
        if name not in fields:
            raise SelvedgeError(f"{where}: setting '{name}' is unknown; known are {sorted(fields)}.")
        nested = fields[name].default_factory
        if dataclasses.is_dataclass(hints[name]) and nested is not dataclasses.MISSING and isinstance(value, Mapping):
            value = dataclasses.asdict(nested()) | dict(value)
        given[name] = _fit(hints[name], value, f"{where}: setting '{name}'")
    return kind(**given)


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
        if value not in arguments:
            raise SelvedgeError(f"{where} is {value!r}; use one of {list(arguments)}.")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise SelvedgeError(f"{where} is {value!r}; give a list.")
        return tuple(_fit(arguments[0], item, where) for item in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is float and isinstance(value, str):  # YAML 1.1 reads 2e-3 as text
        try:
            return float(value)
        except ValueError:
            raise SelvedgeError(f"{where} is {value!r}; give a number.") from None
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise SelvedgeError(f"{where} is {value!r}; give a value of type {hint.__name__}.")
    return value
