"""Commands that depend on which families there are: a switch, a choice or a whole command that a family declares.

Belongs here: fitting a command's signature, which typer reads, and mounting the families' own commands. Not here: what
a command does.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration import families
from orchestration.cli import results, terminal
from orchestration.cli.models import find_model
from orchestration.families.contract import Command, Family

if TYPE_CHECKING:
    from orchestration.runtime.settings import Settings
    from training.reporting import Reporter


def family_argument() -> Any:
    """The argument FAMILY, whose help names those there are."""
    *others, last = [family.name for family in families.FAMILIES]
    names = f"{', '.join(others)} or {last}" if others else last
    return Annotated[str, typer.Argument(metavar="FAMILY", help=f"Family of models: {names}.")]


def tailored(
    command: Callable[..., None], annotations: Mapping[str, Any], defaults: Mapping[str, Any] | None = None
) -> Callable[..., None]:
    """A command with annotations that are known only when the families are, or that are stated elsewhere.

    Args:
        annotations: of parameters by name; one that the command does not name is one of its `**switches`.
        defaults: of those; False where it has none.
    """
    signature = inspect.signature(command)
    fixed = [own for own in signature.parameters.values() if own.kind is not inspect.Parameter.VAR_KEYWORD]
    parameters = [own.replace(annotation=annotations.get(own.name, own.annotation)) for own in fixed]
    parameters += [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=(defaults or {}).get(name, False), annotation=annotation
        )
        for name, annotation in annotations.items()
        if name not in signature.parameters
    ]
    return _with_signature(command, command, parameters)


def add_family_commands(app: typer.Typer) -> None:
    """Every command that a family brings."""
    for family in families.FAMILIES:
        for command in family.commands:
            app.command(command.name)(_mounted(family, command))


class FamilyTerminal:
    """The terminal of one call of a family's own command (`contract.Terminal`)."""

    def __init__(self, family: Family, command: Command, as_json: bool) -> None:
        self._family, self._command, self._as_json = family, command, as_json

    def settings(self) -> "Settings":
        from orchestration.families.settings import load_settings

        return load_settings()

    def model(self, model: str) -> tuple[Path, str]:
        return find_model(self._family.name, model)

    def reporting(self) -> "AbstractContextManager[Reporter]":
        return terminal.reporting()

    def trace(self, product: int, drop: str) -> Mapping[str, Any]:
        from orchestration.families.settings import load_settings
        from orchestration.report.trace import traced_rows

        return traced_rows(load_settings(), product, drop, families.FAMILIES)

    def say(self, line: str) -> None:
        terminal.say(line)

    def emit(self, values: Mapping[str, Any]) -> None:
        results.emit(self._command.name, self._as_json, values)


def _mounted(family: Family, command: Command) -> Callable[..., None]:
    def run(as_json: bool, **values: Any) -> None:
        command.run(FamilyTerminal(family, command, as_json), **values)

    own = list(inspect.signature(command.run).parameters.values())[1:]
    as_json = inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=results.JsonFlag)
    return _with_signature(run, command.run, [*own, as_json])


def _with_signature(
    run: Callable[..., None], described: Callable[..., None], parameters: list[inspect.Parameter]
) -> Callable[..., None]:
    @functools.wraps(described)
    def call(**values: Any) -> None:
        run(**values)

    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return call
