"""Costs of a step: what making an asset took, said on its page, in all and for each row that was published.

Belongs here: the names of these figures, adding them to a result, the price of tokens. Not here: the table of all runs
(run_costs.py), what a writer may spend (inference/descriptions/bedrock.py), what a backfill takes (jobs/backfill.py).

The figures are numbers by themselves, so that Dagster's page plots them over time.
"""

from typing import Any, TypeVar

import dagster as dg

from orchestration.assets.metadata import in_reading_order
from orchestration.runtime.settings import Settings

SECONDS, SECONDS_A_ROW, BYTES, DOLLARS, DOLLARS_A_ROW = (
    "wall seconds",
    "wall seconds a row",
    "bytes",
    "dollars",
    "dollars a row",
)
ROWS = "rows"
PAID = "bedrock"  # the writer of descriptions whose tokens are billed
R = TypeVar("R")


def with_costs(result: R, seconds: float) -> R:
    """The result of a step's body with what it took, in reading order; anything but materialisations as it is.

    Args:
        seconds: wall seconds of the body. Assets that one step makes together share them evenly.
    """
    said: Any = result
    if isinstance(said, dg.MaterializeResult):
        said = _costed(said, seconds)
    elif isinstance(said, tuple | list) and all(isinstance(each, dg.MaterializeResult) for each in said):
        said = type(said)(_costed(each, seconds / len(said)) for each in said)
    costed: R = said
    return costed


def usd_of_tokens(settings: Settings, tokens_in: int, tokens_out: int) -> float:
    """US dollars of a paid writer's tokens at the prices that the settings give."""
    return (tokens_in * settings.bedrock_usd_per_1k_in + tokens_out * settings.bedrock_usd_per_1k_out) / 1000


def _costed(result: "dg.MaterializeResult", seconds: float) -> "dg.MaterializeResult":
    metadata = dict(result.metadata or {})
    rows, dollars = metadata.get(ROWS), metadata.get(DOLLARS)
    figures: dict[str, float] = {SECONDS: round(seconds, 3)}
    if isinstance(rows, int) and rows:
        figures[SECONDS_A_ROW] = round(seconds / rows, 6)
        if isinstance(dollars, float):
            figures[DOLLARS_A_ROW] = round(dollars / rows, 6)
    return result._replace(metadata=in_reading_order({**metadata, **figures}))
