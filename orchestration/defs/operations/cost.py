"""operations/cost: what the runs took, by week and family; once a day, for people.

Belongs here: the asset, its plot and tables. Not here: the rows (assets/run_costs.py), the sums (spending.py), what one
step says of itself (assets/costs.py).

Making it keeps the table: `selvedge gc` may prune Dagster's runs after it. Asked again, nothing is counted twice.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from orchestration.assets.failures import errors_as_sentences
from orchestration.assets.metadata import image, table
from orchestration.assets.published import Tables
from orchestration.runtime.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

KEY = dg.AssetKey(["operations", "cost"])
WEEKS, MONTHS = 12, 12  # shown, the newest
SHOWN = (
    "runs",
    "failed",
    "seconds",
    "products",
    "rows",
    "seconds_a_row",
    "bytes",
    "tokens_in",
    "tokens_out",
    "usd",
    "usd_a_row",
)


def cost_asset(families: Mapping[str, str]) -> dg.AssetsDefinition:
    """The asset.

    Args:
        families: whose an asset is, by its name `stage/name`.
    """

    @dg.asset(
        key=KEY,
        group_name="operations",
        owners=["team:operations"],
        kinds={"parquet"},
        code_version="1",
        pool="costs",
        description="What the runs took by week and family: seconds, products, rows, bytes, tokens and dollars.",
    )
    @errors_as_sentences
    def cost(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], tables: Tables
    ) -> dg.MaterializeResult:
        from orchestration.assets.run_costs import TABLE, RunCosts
        from orchestration.defs.operations.spending import dated, sums

        costs = dated(RunCosts(context.instance, tables, settings, families).keep(), settings.time_zone)
        recent = costs[costs["week"].isin(sorted(costs["week"].unique())[-WEEKS:])]
        months = sums(costs, ["month"])[-MONTHS:]
        of_all = sums(costs)[0]
        return dg.MaterializeResult(
            metadata={
                "runs": of_all["runs"],
                "seconds": of_all["seconds"],
                "dollars": of_all["usd"],
                **({"by week": image(_plot(recent), "seconds and dollars by week")} if len(recent) else {}),
                "by month": _shown(["month"], months),
                "by week and family": _shown(["week", "whose"], list(reversed(sums(recent, ["week", "whose"])))),
                "by asset": _shown(["asset"], sums(recent[recent["asset"] != ""], ["asset"])),
                "table": dg.MetadataValue.path(str(tables.path(TABLE).with_suffix(""))),
            }
        )

    return cost


def _shown(by: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> dg.MarkdownMetadataValue:
    cells = [[*(row[name] for name in by), *(_cell(row, name) for name in SHOWN)] for row in rows]
    return table([*by, *(name.replace("_", " ") for name in SHOWN)], cells)


def _cell(row: Mapping[str, Any], name: str) -> str:
    if name.endswith("_a_row"):
        amount = row[name.removesuffix("_a_row")]
        return f"{amount / row['rows']:.4g}" if row["rows"] and amount else "–"
    return f"{row[name]:,.2f}" if name == "usd" else f"{row[name]:,.0f}"


def _plot(costs: "pd.DataFrame") -> bytes:
    """Bars of seconds by week, stacked by family, and dollars below."""
    from evaluation.plot_style import SERIES, legend_below, png, styled_figure

    with styled_figure(8.0, 4.6) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        for axes, figures, title in ((upper, "seconds", "Hours of work by week"), (lower, "usd", "US dollars by week")):
            weekly = costs.pivot_table(index="week", columns="whose", values=figures, aggfunc="sum").fillna(0.0)
            below = weekly.iloc[:, 0] * 0.0
            for position, whose in enumerate(weekly.columns):
                height = weekly[whose] / (3600.0 if figures == "seconds" else 1.0)
                colour = SERIES[position % len(SERIES)]
                axes.bar(weekly.index, height, bottom=below, width=0.6, color=colour, label=whose)
                below = below + height
            axes.set_title(title)
        legend_below(figure, upper)
        figure.autofmt_xdate(rotation=30)
        return png(figure)
