"""`selvedge doctor`: whether this home is whole, one line a check, with what to do.

Belongs here: the checks and their order. Not here: what each of them asks (the module it names).
"""

import getpass
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from catalog.errors import SelvedgeError, ServiceUnavailable
from orchestration import families
from orchestration.cli.results import JsonFlag, emit

if TYPE_CHECKING:
    from orchestration.runtime.settings import Settings


def add_to(app: typer.Typer) -> None:
    app.command("doctor")(doctor)


def doctor(
    accept_ledger: Annotated[
        bool,
        typer.Option("--accept-ledger", help="Take the ledger as it is, restored from a backup; noted in it for good."),
    ] = False,
    test_alert: Annotated[
        bool, typer.Option("--test-alert", help="Send a test over every channel of alerts, too.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Check databases, disk, clock, ledger, champions, services, settings. Exits with 1 where something is broken."""
    from orchestration.families.settings import load_settings

    settings = load_settings()
    if accept_ledger:
        _accept(settings)
    checks = [
        {"check": name, "ok": not sentences, "what": " ".join(sentences) or "as it should be"}
        for name, sentences in (
            (name, list(_told(check, settings)))
            for name, check in (CHECKS | ({"test alert": _test_alert} if test_alert else {})).items()
        )
    ]
    emit("doctor", as_json, {"home": str(settings.home), "checks": checks})
    if not all(check["ok"] for check in checks):
        raise typer.Exit(1)


def _told(check: "Callable[[Settings], Iterator[str]]", settings: "Settings") -> Iterator[str]:
    from orchestration.runtime.health import refused_by_sqlite

    try:
        yield from check(settings)
    except SelvedgeError as error:
        yield str(error)
    except Exception as error:
        if not (sentence := refused_by_sqlite(error)):
            raise
        yield sentence


def _sqlite(settings: "Settings") -> Iterator[str]:
    """Every database file of the home can be read and written."""
    from orchestration.runtime.health import sqlite_problems

    yield from sqlite_problems(settings.home)


def _disk(settings: "Settings") -> Iterator[str]:
    from orchestration.runtime.health import disk_problems

    yield from disk_problems(settings)


def _dagster(settings: "Settings") -> Iterator[str]:
    """Its configuration is one, no run is of the future, no limit is of a pool that nothing uses."""
    if not (settings.dagster_home / "dagster.yaml").exists():
        return
    from orchestration.assets.published import COSTS_POOL, GPU_POOL, SPLITS_POOL
    from orchestration.runtime.health import clock_problems, pool_problems
    from orchestration.runtime.instance import open_instance

    with open_instance(settings) as instance:
        yield from clock_problems(instance)
        yield from pool_problems(instance, (COSTS_POOL, GPU_POOL, SPLITS_POOL))


def _ledger(settings: "Settings") -> Iterator[str]:
    """The database, its triggers, its hash chain, and the head that the home remembers."""
    from orchestration.registry.ledger import ledger_problems

    yield from ledger_problems(settings)


def _modes(settings: "Settings") -> Iterator[str]:
    from orchestration.runtime.private import open_to_others

    if files := open_to_others(settings.home):
        more = f" and {len(files) - 1} more files" if len(files) > 1 else ""
        yield f"{files[0]}{more} can be read by other users of this machine; run `chmod go= {files[0]}`."


def _backups(settings: "Settings") -> Iterator[str]:
    """Nothing is left of a backup that was killed."""
    from orchestration.jobs.unfinished_backups import problems

    yield from problems(settings.home)


def _champions(settings: "Settings") -> Iterator[str]:
    """The aliases are where the ledger's last moves put them."""
    from orchestration.registry.champion import named, way_out
    from orchestration.registry.interface import CHAMPION
    from orchestration.registry.ledger import open_ledger
    from orchestration.registry.registry import Registry

    ledger = open_ledger(settings).promotions
    try:
        registry = Registry(settings)
    except ServiceUnavailable:
        return  # nothing can be held against a server that is not started
    for family in families.FAMILIES:
        made, alias = ledger.promoted(family.name), registry.aliases(family.name).get(CHAMPION)
        recorded = None if made is None else int(made.version)
        if alias != recorded:
            versions = {info.version for info in registry.versions(family.name)}
            yield (
                f"the alias {CHAMPION} of {family.name} is on {named(alias)}, and by the ledger it is on "
                f"{named(recorded)}; {way_out(family.name, alias, recorded, versions)}."
            )


def _services(settings: "Settings") -> Iterator[str]:
    from orchestration.runtime.services import links

    for link in links(settings):
        if link.state in ("taken", "starting or stuck", "stuck"):
            yield f"{link.name} at {link.url} is {link.state}; `selvedge up` says by whom, or frees it."


def _ads(settings: "Settings") -> Iterator[str]:
    """What the settings of ads name is there: brand, segmenter, library, table, models. Weights are not read."""
    from orchestration.defs.inference.ad_parts import AdParts, require_named

    yield from require_named(AdParts.of(settings))


def _operator(settings: "Settings") -> Iterator[str]:
    """The mapping of drops fits, every schedule has a time and a family there is, alerts have their secrets."""
    from orchestration.families.settings import check_operator_settings

    check_operator_settings(settings)
    yield from ()


def _test_alert(settings: "Settings") -> Iterator[str]:
    """Every channel takes an alert that says it is a test."""
    from orchestration.runtime.alerts import Alert, channels, tell

    if not channels(settings):
        yield "nobody is to be told; SELVEDGE_ALERT_WEBHOOK_FILE or SELVEDGE_ALERT_MAIL says who."
    text = "Nothing failed: somebody asked `selvedge doctor` whether alerts arrive."
    yield from filter(None, tell(settings, Alert("A test of alerts", (text,), settings.dagster_uri)).values())


def _hosted_models(settings: "Settings") -> Iterator[str]:
    """Models on Bedrock that the settings name live on, for 180 days at least."""
    from orchestration.defs.inference.ad_parts import AdParts

    hosted = AdParts.of(settings).hosted
    if not hosted:
        return
    from datetime import UTC, datetime

    from inference.ad_images.aws import make_client
    from inference.ad_images.backdrops.bedrock import model_lifecycle

    client = make_client("bedrock", settings.bedrock_region)
    for model in hosted:
        sentence = model_lifecycle(client, model, datetime.now(UTC).date())
        if sentence:
            yield sentence


def _databases(settings: "Settings") -> Iterator[str]:
    """They are where the settings say, answer, take writes, and are of the installed versions."""
    from orchestration.runtime.dagster_private import of_other_versions
    from orchestration.runtime.databases import ensure_databases, few_connections
    from orchestration.runtime.instance import open_instance

    ensure_databases(settings)
    if (settings.dagster_home / "dagster.yaml").exists():
        with open_instance(settings) as instance:
            for other in of_other_versions(instance):
                yield (
                    f"Dagster's database is of another version ({other}); run `dagster instance migrate` with "
                    f"DAGSTER_HOME={settings.dagster_home}, or install the version that wrote it."
                )
    yield from few_connections(settings)


CHECKS: "dict[str, Callable[[Settings], Iterator[str]]]" = {
    "databases": _databases,
    "database files": _sqlite,
    "disk": _disk,
    "clock and pools": _dagster,
    "ledger": _ledger,
    "file modes": _modes,
    "backups": _backups,
    "champions": _champions,
    "services": _services,
    "ads": _ads,
    "mapping, schedules, alerts": _operator,
    "hosted models": _hosted_models,
}


def _accept(settings: "Settings") -> None:
    """Take the ledger's present head for the right one, and note in the ledger who did."""
    from orchestration.registry.ledger import head_file, open_ledger

    memory, record = head_file(settings), open_ledger(settings).record
    problems: list[Any] = record.problems()
    if problems:
        raise SelvedgeError(f"rows of the ledger cannot be accepted as they are: {problems[0]}")
    memory.accept(record.head())
    record.accept(f"taken as it was by {getpass.getuser()}")
