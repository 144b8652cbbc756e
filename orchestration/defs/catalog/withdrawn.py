"""Withdrawn products: what a drop held once and, since its delivery was changed, holds no more.

Belongs here: the record of it beside the tables. Not here: reading a delivery (drops.py), telling of one product
(orchestration/report/trace.py).

A drop's table is that of its newest delivery, so a product that is delivered no more leaves every table that is made
of it. Dagster forgets its old runs. This record stays: which product went, when, and by which delivery.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from catalog.errors import SelvedgeError
from catalog.files import publish_bytes
from orchestration.assets.partitions import valid_key
from orchestration.assets.published import Tables
from orchestration.runtime.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa
    from upath import UPath


@dataclass(frozen=True)
class Withdrawal:
    """Products that went with one new version of a delivery.

    Attributes:
        at: when it was read, as ISO 8601 in UTC. run: Dagster's id of the run that read it.
        fingerprint: of the delivery that holds them no more. replaced: of the one before; "" where none is known.
        products: names by product id.
    """

    drop: str
    at: str
    run: str
    fingerprint: str
    replaced: str
    products: dict[int, str]


def gone(tables: Tables, drop: str, products: "pa.Table") -> dict[int, str]:
    """Names of what the drop's present table holds and the new one does not, by product id.

    Raises:
        SelvedgeError: the present table is damaged.
    """
    before = tables.latest("catalog/products", drop)
    if before is None:
        return {}
    stay = set(products["product_id"].to_pylist())
    named = zip(before["product_id"].to_pylist(), before["product_display_name"].to_pylist(), strict=True)
    return {product: str(name) for product, name in named if product not in stay}


def record_withdrawal(
    settings: Settings, drop: str, products: dict[int, str], run: str, fingerprint: str, replaced: str
) -> None:
    """Write down what goes, before the new table takes the old one's place; a second try writes the same line again."""
    if not products:
        return
    earlier = [
        line for line in withdrawals(settings, drop) if (line.fingerprint, line.replaced) != (fingerprint, replaced)
    ]
    now = datetime.now(UTC).isoformat(timespec="seconds")
    lines = [*earlier, Withdrawal(drop, now, run, fingerprint, replaced, products)]
    publish_bytes(json.dumps([asdict(line) for line in lines], indent=1).encode(), _file(settings, drop))


def withdrawals(settings: Settings, drop: str) -> list[Withdrawal]:
    """What went from a drop, the oldest first.

    Raises:
        SelvedgeError: the record is damaged.
    """
    file = _file(settings, drop)
    if not file.exists():
        return []
    try:
        lines = json.loads(file.read_bytes())
        return [
            Withdrawal(**{**line, "products": {int(product): name for product, name in line["products"].items()}})
            for line in lines
        ]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SelvedgeError(f"{file} is damaged ({error}); restore it from a backup, or remove it.") from error


def withdrawal_of(settings: Settings, drops: Sequence[str], product_id: int) -> Withdrawal | None:
    """The newest withdrawal of a product from any of these drops; None where it never went from one."""
    lines = [line for drop in drops for line in withdrawals(settings, drop) if product_id in line.products]
    return max(lines, key=lambda line: line.at, default=None)


def _file(settings: Settings, drop: str) -> "UPath":
    return settings.tables() / "drops" / f"{valid_key(drop)}.withdrawn.json"
