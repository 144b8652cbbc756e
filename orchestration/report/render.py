"""The report as one self-contained HTML page: no script, no font, no picture from elsewhere.

Belongs here: turning ReportData into HTML. Not here: where the data comes from (gather.py).
"""

from pathlib import Path

import pandas as pd

from catalog.pages import STYLE, page_environment
from orchestration.report.data import ReportData

HERE = Path(__file__).parent

# What each subject is called on the page and how it is drawn on a score track: (label, css class).
FLOORS = {
    "floor:majority": "majority class",
    "floor:prior_draw": "draw from the prior",
    "floor:majority_given_coarse": "majority given the coarse columns",
    "floor:no_picture": "the model without the picture",
}
CEILINGS = {
    "ceiling:linear_probe": "linear probe on the frozen features",
    "ceiling:cnn": "end-to-end CNN on the same rows",
}
MODELS = {"base": "base", "champion": "champion", "candidate": "candidate"}


def score_rows(scores: pd.DataFrame, metric: str = "macro_f1") -> list[dict]:
    """One row an attribute (the mean first): every subject's value, interval and the support."""
    if scores.empty:
        return []
    chosen = scores[(scores["metric"] == metric) & (scores["slice"] == "all")]
    attributes = sorted(chosen["attribute"].unique(), key=lambda name: (name != "mean", name))
    rows = []
    for attribute in attributes:
        of_attribute = chosen[chosen["attribute"] == attribute]
        marks = {
            row.subject: {"value": row.value, "low": row.low, "high": row.high}
            for row in of_attribute.itertuples(index=False)
        }
        rows.append({"attribute": attribute, "support": int(of_attribute["support"].max()), "marks": marks})
    return rows


def slice_rows(scores: pd.DataFrame, prefix: str, metric: str = "macro_f1") -> list[dict]:
    """The mean score of base and candidate by one slicing column, largest slices first."""
    if scores.empty:
        return []
    chosen = scores[
        (scores["metric"] == metric) & (scores["attribute"] == "mean") & scores["slice"].str.startswith(f"{prefix}=")
    ]
    rows = []
    for name, rows_of_slice in chosen.groupby("slice"):
        marks = rows_of_slice.set_index("subject")
        if "candidate" not in marks.index:
            continue
        rows.append(
            {
                "name": str(name).split("=", 1)[1],
                "support": int(marks.loc["candidate", "support"]),
                "candidate": float(marks.loc["candidate", "value"]),
                "base": float(marks.loc["base", "value"]) if "base" in marks.index else None,
            }
        )
    return sorted(rows, key=lambda row: -row["support"])


def bars(counts: pd.Series, most: int = 12) -> list[dict]:
    """The largest counts with their share of the largest, the rest as one bar."""
    top = counts.head(most)
    rest = int(counts.iloc[most:].sum())
    rows: list[dict] = [{"name": str(name), "count": int(count)} for name, count in top.items()]
    if rest:
        rows.append({"name": f"{len(counts) - most} more", "count": rest})
    largest = max((row["count"] for row in rows), default=1)
    return [{**row, "share": row["count"] / largest} for row in rows]


def render_report(data: ReportData) -> str:
    """The whole page as HTML text."""
    environment = page_environment(HERE)
    environment.filters["thousands"] = lambda number: f"{number:,}"
    environment.filters["percent"] = lambda share: f"{100 * share:.0f} %"
    environment.filters["score"] = lambda value: "–" if value is None or value != value else f"{value:.2f}"
    return environment.get_template("report.html.jinja").render(
        data=data,
        css=STYLE.read_text(),
        score_rows=score_rows(data.scores),
        slices=[
            ("by type", slice_rows(data.scores, "article_type")),
            ("by gender", slice_rows(data.scores, "gender")),
            ("by colour", slice_rows(data.scores, "base_colour")),
        ],
        floors=FLOORS,
        ceilings=CEILINGS,
        models=MODELS,
        types=bars(data.products["article_type"].value_counts()),
        genders=bars(data.products["gender"].value_counts()),
    )
