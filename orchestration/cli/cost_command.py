"""`selvedge cost`: what the runs of a home took, by month, family and asset.

Belongs here: options, result and the lines for people. Not here: the rows (assets/run_costs.py), the sums
(orchestration/defs/operations/spending.py).
"""

import re
import time
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from catalog.errors import SelvedgeError
from orchestration.cli.results import JsonFlag, emit

LAST, THIS = "last", "this"
MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
WIDTH = 40


def add_to(app: typer.Typer) -> None:
    app.command("cost")(cost)


def cost(
    month: Annotated[
        str | None, typer.Option(metavar="MONTH", help="One month, like 2026-10, last or this; all by default.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say what runs took: seconds, products, rows, bytes, tokens and dollars. Nothing is written."""
    from orchestration.assets.published import Tables
    from orchestration.assets.run_costs import RunCosts
    from orchestration.defs.operations.spending import dated, sums
    from orchestration.families import FAMILIES
    from orchestration.families.contract import families_of_assets
    from orchestration.families.settings import load_settings
    from orchestration.runtime.instance import open_instance, refuse_empty

    settings = load_settings()
    refuse_empty(settings)
    began = time.monotonic()
    wanted = None if month is None else named_month(month, datetime.now(ZoneInfo(settings.time_zone)))
    with open_instance(settings) as instance:
        tables = Tables(root=str(settings.tables()))
        costs = dated(RunCosts(instance, tables, settings, families_of_assets(FAMILIES)).all(), settings.time_zone)
    of_month = costs if wanted is None else costs[costs["month"] == wanted]
    values: dict[str, Any] = {
        "month": wanted,
        "time_zone": settings.time_zone,
        **sums(of_month)[0],
        "by_month": sums(costs, ["month"]),
        "by_week": sums(of_month, ["week", "whose"]),
        "by_family": sums(of_month, ["whose"]),
        "by_asset": sums(of_month[of_month["asset"] != ""], ["asset"]),
        "seconds_taken": time.monotonic() - began,
    }
    emit("cost", as_json, values, _lines(values))


def named_month(text: str, now: datetime) -> str:
    """The month that `last`, `this` or 2026-10 names.

    Raises:
        SelvedgeError: it is no month.
    """
    if text in (THIS, LAST):
        back = 1 if text == LAST else 0
        year, number = divmod(now.year * 12 + now.month - 1 - back, 12)
        return f"{year:04d}-{number + 1:02d}"
    if not MONTH.fullmatch(text):
        raise SelvedgeError(f"--month {text} is no month; write one like {now:%Y-%m}, or last, or this.")
    return text


def _lines(values: dict[str, Any]) -> list[str]:
    month = values["month"]
    when = "all months" if month is None else f"month {month}"
    if not values["runs"]:
        there = ", ".join(entry["month"] for entry in values["by_month"]) or "none"
        return [f"{when}: no run ended (months with runs: {there})."]
    rows = [
        f"{when} ({values['time_zone']}): {values['usd']:.2f} US dollars, {_hours(values['seconds'])} of work in "
        f"{values['runs']} runs ({values['failed']} not successful)",
        _row("", {"runs": "runs", "seconds": "seconds", "products": "products", "rows": "rows", "usd": "US dollars"}),
    ]
    months = [(entry["month"], entry) for entry in values["by_month"]] if month is None else []
    by_family = [(entry["whose"], entry) for entry in values["by_family"]]
    by_asset = [(f"  {entry['asset']}", entry) for entry in values["by_asset"]]
    return [*rows, *(_row(name, _told(entry)) for name, entry in [*months, *by_family, *by_asset])]


def _told(entry: dict[str, Any]) -> dict[str, str]:
    return {name: f"{entry[name]:,.2f}" if name == "usd" else f"{entry[name]:,.0f}" for name in entry if name in _ROW}


_ROW = ("runs", "seconds", "products", "rows", "usd")


def _row(name: str, cells: dict[str, str]) -> str:
    return f"{name:<{WIDTH}}" + "".join(f"{cells[column]:>12}" for column in _ROW)


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.1f} minutes"
