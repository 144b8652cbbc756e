"""The plan: what a deployment would create, and what a month of it may cost, from the kept template and a price table.

Belongs here: counting, multiplying, naming what is an assumption. Not here: the template (infra/aws/), the prices
(infra/aws/prices.yaml). Nothing is asked of AWS, and nothing is created.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import infra.aws
from catalog.errors import SelvedgeError
from catalog.yaml_files import read_yaml

FOLDER = Path(infra.aws.__file__).parent
TEMPLATE = FOLDER / "templates" / "Selvedge.template.json"
PRICES = FOLDER / "prices.yaml"
ASSUMPTION = "assumption"


@dataclass(frozen=True)
class Line:
    """One line of the estimate.

    Attributes:
        quantity: of `unit` in a month. usd: for that month. source: of the price, or `assumption`.
    """

    what: str
    quantity: float
    unit: str
    usd: float
    source: str


@dataclass(frozen=True)
class Plan:
    """What would be created (count by type), what it may cost, and of when and where the prices are."""

    resources: Mapping[str, int]
    lines: tuple[Line, ...]
    as_of: str
    region: str

    @property
    def usd(self) -> float:
        return round(sum(line.usd for line in self.lines), 2)

    @property
    def assumed_usd(self) -> float:
        """The part of it whose prices nobody looked up."""
        return round(sum(line.usd for line in self.lines if line.source == ASSUMPTION), 2)


def make_plan(use: Mapping[str, float], prices_file: Path = PRICES, template_file: Path = TEMPLATE) -> Plan:
    """The plan for a month's use; what `use` does not name is as the table has it.

    Raises:
        SelvedgeError: the table cannot be read or has no price for a type, or `use` names what it does not have.
    """
    prices = read_yaml(prices_file, "price table", "restore it from this version")
    names = {row["name"] for row in prices["used"]}
    unknown = next((name for name in use if name not in names), None)
    if unknown is not None:
        raise SelvedgeError(
            f"--use {unknown:.60} is nothing that is paid by use; there are {', '.join(sorted(names))}."
        )
    resources = json.loads(template_file.read_text(encoding="utf-8"))["Resources"]
    counts = Counter(resource["Type"] for resource in resources.values())
    priceless = sorted(set(counts) - set(prices["standing"]) - set(prices["free"]))
    if priceless:
        raise SelvedgeError(f"price table {prices_file} knows nothing of {priceless[0]}; add it, or list it as free.")
    lines = (*_standing(counts, prices), *_sized(resources, prices), *_used(use, prices))
    return Plan(dict(sorted(counts.items())), tuple(lines), str(prices["as_of"]), str(prices["region"]))


def _standing(counts: Mapping[str, int], prices: Mapping[str, Any]) -> Iterator[Line]:
    for kind, price in prices["standing"].items():
        if counts.get(kind):
            of = f" ({price['of']})" if "of" in price else ""
            yield _line(kind.removeprefix("AWS::") + of, counts[kind], price, prices)


def _sized(resources: Mapping[str, Any], prices: Mapping[str, Any]) -> Iterator[Line]:
    for price in prices["sized"]:
        for resource in resources.values():
            if resource["Type"] == price["type"]:
                value: Any = resource["Properties"]
                for part in price["property"].split("."):
                    value = value[part]
                quantity = float(value) / price.get("divide", 1) - price.get("less", 0)
                yield _line(price["what"], quantity, price, prices, price["unit"])


def _used(use: Mapping[str, float], prices: Mapping[str, Any]) -> Iterator[Line]:
    for price in prices["used"]:
        quantity = float(use.get(price["name"], price["default"]))
        what = f"{price['name']}: {price['what']}"
        yield Line(what, quantity, price["unit"], round(quantity * price["usd"], 2), price["source"])


def _line(what: str, count: float, price: Mapping[str, Any], prices: Mapping[str, Any], unit: str = "") -> Line:
    hours = prices["hours"] if price["per"] == "hour" else 1
    unit = " ".join((*((unit,) if unit else ()), price["per"]))
    return Line(what, count * hours, unit, round(count * hours * price["usd"], 2), price["source"])
