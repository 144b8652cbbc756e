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
from orchestration.assets.published import COSTS_POOL, Tables
from orchestration.runtime.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

KEY = dg.AssetKey(["operations", "cost"])
WEEKS, MONTHS = 12, 12  # shown, the newest
SHOWN = ("runs", "failed", "seconds", "products", "rows", "seconds a row", "MB", "tokens", "US dollars")


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
        pool=COSTS_POOL,
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
                "seconds": round(of_all["seconds"], 1),
                "dollars": round(of_all["usd"], 2),
                **({"by week": image(_plot(recent), "seconds and dollars by week")} if len(recent) else {}),
                "by month": _shown(["month"], months),
                "by week and family": _shown(["week", "whose"], list(reversed(sums(recent, ["week", "whose"])))),
                "by asset": _shown(["asset"], sums(recent[recent["asset"] != ""], ["asset"])),
                "table": dg.MetadataValue.path(str(tables.path(TABLE).with_suffix(""))),
            }
        )

    return cost


def _shown(by: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> dg.MarkdownMetadataValue:
    header = [*("family or stage" if name == "whose" else name for name in by), *SHOWN]
    return table(header, [[*(row[name] for name in by), *_cells(row)] for row in rows])


def _cells(row: Mapping[str, Any]) -> list[str]:
    """In the order of `SHOWN`."""
    return [
        *(f"{row[name]:,.0f}" for name in ("runs", "failed", "seconds", "products", "rows")),
        f"{row['seconds'] / row['rows']:.3g}" if row["rows"] else "–",
        f"{row['bytes'] / 1e6:,.1f}",
        f"{row['tokens_in'] + row['tokens_out']:,}",
        f"{row['usd']:,.2f}",
    ]


def _plot(costs: "pd.DataFrame") -> bytes:
    """Bars of seconds by week, stacked by family, and dollars below."""
    from evaluation.plot_style import FLOOR_COLOUR, SERIES, legend_below, png, styled_figure
    from orchestration.defs.operations.spending import REST

    with styled_figure(8.0, 4.6) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        for axes, figures, title in ((upper, "seconds", "Hours of work by week"), (lower, "usd", "US dollars by week")):
            weekly = costs.pivot_table(index="week", columns="whose", values=figures, aggfunc="sum").fillna(0.0)
            below = weekly.iloc[:, 0] * 0.0
            for position, whose in enumerate(weekly.columns):
                height = weekly[whose] / (3600.0 if figures == "seconds" else 1.0)
                colour = FLOOR_COLOUR if whose == REST else SERIES[position % len(SERIES)]
                axes.bar(weekly.index, height, bottom=below, width=0.6, color=colour, label=whose)
                below = below + height
            axes.set_title(title)
        legend_below(figure, upper)
        figure.autofmt_xdate(rotation=30)
        return png(figure)
