"""`selvedge up` and `selvedge demo`: the services people look at, and the whole lifecycle once.

Belongs here: options and results. Not here: starting services (services.py), the demo's jobs (demo.py).
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from enum import StrEnum
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from catalog.errors import Interrupted, SelvedgeError
from orchestration import families
from orchestration.cli.migrate_command import Postgres, settings_on
from orchestration.cli.results import JsonFlag, emit, print_text
from orchestration.cli.terminal import reporting, say

if TYPE_CHECKING:
    from orchestration.runtime.settings import Settings

LOG_BYTES = 1_000_000  # of `logs/up.log`, with as much again in `up.log.1`


def add_to(app: typer.Typer) -> None:
    app.command("up")(up)
    app.command("demo")(demo)


class Unit(StrEnum):
    """What can keep `up` running."""

    SYSTEMD = "systemd"
    COMPOSE = "compose"


def up(
    unit: Annotated[
        Unit | None,
        typer.Option("--print", help="Start nothing: print a unit of systemd, or a Compose file with PostgreSQL."),
    ] = None,
    postgres: Postgres = None,
    as_json: JsonFlag = False,
) -> None:
    """Start Dagster, MLflow and Label Studio, print one link each, and keep them until Ctrl-C."""
    if unit is not None:
        _print_unit(unit, as_json)
        return
    from orchestration.families.settings import check_operator_settings, check_training_files
    from orchestration.runtime.databases import ensure_databases, keep_address
    from orchestration.runtime.home import held
    from orchestration.runtime.instance import open_instance
    from orchestration.runtime.ports import free_ports
    from orchestration.runtime.recovery import recover
    from orchestration.runtime.services import everything, in_our_words, links
    from orchestration.runtime.signs import memory_rule

    settings = settings_on(postgres)
    check_training_files(settings)
    check_operator_settings(settings)
    with held(settings, "selvedge up"), _telling(settings) as tell:
        settings = free_ports(settings, tell)
        if postgres is not None:  # kept for the services' own processes
            ensure_databases(settings)
            keep_address(settings)
        with open_instance(settings) as instance:
            recover(instance, tell)
        with everything(settings, tell) as group:
            services = [_opening(settings, asdict(link)) for link in links(settings)]
            emit("up", as_json, {"home": str(settings.home), "services": services})
            say("The links with a token let this browser in for thirty days; keep them to yourself.")
            try:
                _settle(settings)  # seconds: whoever interrupts it here meant the services
                tell("Everything runs; Ctrl-C stops it.")
                with in_our_words():
                    group.watch(lambda line: tell(f"selvedge: {line}"), memory_rule(settings))
            except KeyboardInterrupt:
                tell("Stopping.")
    raise Interrupted("every service is stopped; `selvedge up` starts them again.")


def _print_unit(unit: Unit, as_json: bool) -> None:
    from orchestration.families.settings import check_operator_settings, load_settings
    from orchestration.runtime.units import FORMS

    if as_json:
        raise SelvedgeError("--print prints a file, which is no JSON. Leave --json out.")
    settings = load_settings()
    check_operator_settings(settings)
    print_text(FORMS[unit](settings))


class _Log(RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """A disk that takes no line: the terminal has it."""


@contextmanager
def _telling(settings: "Settings") -> Iterator[Callable[[str], None]]:
    """What tells a person at the terminal, and writes the same into `logs/up.log`, which stays small."""
    settings.logs.mkdir(parents=True, exist_ok=True)
    file = _Log(settings.logs / "up.log", maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8")
    file.setFormatter(logging.Formatter("%(asctime)s %(message)s"))

    def tell(line: str) -> None:
        say(line)
        file.handle(logging.makeLogRecord({"msg": line}))

    with closing(file):
        yield tell


def _opening(settings: "Settings", link: dict[str, Any]) -> dict[str, Any]:
    """The link of a service that opens for the home's owner alone, with the token that lets a browser in.

    Label Studio's is for annotators, too, who sign in: the owner's browser is let in by either of the others.
    """
    from orchestration.runtime.doors import link_with_token

    if link["url"] and link["state"] != "elsewhere" and link["name"] in ("mlflow", "dagster-webserver"):
        return {**link, "url": link_with_token(settings, link["url"])}
    return link


def _settle(settings: "Settings") -> None:
    """Complete promotions that a kill cut short and tell of aliases moved by hand; services keep running without it."""
    from orchestration.registry.registry import Registry
    from orchestration.registry.repair import settle

    try:
        for sentence in settle(Registry(settings), [family.name for family in families.FAMILIES]):
            say(f"selvedge: {sentence}")
    except SelvedgeError as error:
        say(f"selvedge: {error}")


def demo(
    catalog: Annotated[Path | None, typer.Option(help="A real catalogue, Kaggle layout; else drawn.")] = None,
    products: Annotated[
        int | None, typer.Option(min=50, help="Products of the first drawn drop (SELVEDGE_DEMO_PRODUCTS).")
    ] = None,
    faults: Annotated[
        bool | None,
        typer.Option(
            "--faults/--no-faults",
            help="Plant faults in the drawn catalogue, to be seen in quarantine; done by default.",
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Run the whole lifecycle once and write its report."""
    from orchestration.families.settings import check_operator_settings, check_training_files, load_settings
    from orchestration.jobs.demo import run_demo

    if catalog is not None and products is not None:
        raise SelvedgeError("--products is for the drawn catalogue, and with --catalog none is drawn. Leave one out.")
    if catalog is not None and faults:
        raise SelvedgeError("--faults is for the drawn catalogue: nothing is planted in one of yours. Leave one out.")
    began = time.monotonic()
    settings = load_settings() if products is None else load_settings(demo_products=products)
    check_training_files(settings)
    check_operator_settings(settings)
    with reporting() as reporter:
        outcome = run_demo(settings, catalog=catalog, faults=faults, reporter=reporter)
    emit("demo", as_json, {**outcome, "seconds": time.monotonic() - began})
