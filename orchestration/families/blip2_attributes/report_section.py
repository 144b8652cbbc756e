"""The section of the report on blip2-attributes: learning curves, every attribute's score beside floors and ceilings.

Belongs here: turning the table `scores` into rows, and naming its subjects. Not here: HTML
(report_section.html.jinja), what the page says alike of every family (orchestration/report/family.py).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.families.section import Section, SectionSource

if TYPE_CHECKING:
    import dagster as dg
    import pandas as pd

    from catalog.pages import Picture

CANDIDATE = "training/blip2_attributes_candidate"
# What each subject is called on the page.
FLOORS = {
    "floor:majority": "majority class",
    "floor:prior_draw": "draw from the prior",
    "floor:majority_given_coarse": "majority given the coarse columns",
    "floor:majority_given_type": "majority given the true article type",
    "floor:no_picture": "the model without the picture",
}
CEILINGS = {
    "ceiling:linear_probe": "reference: linear probe on the frozen features",
    "ceiling:cnn": "reference: end-to-end CNN on the same rows, trained for the seconds it was given",
}
MODELS = {"base": "base", "champion": "champion", "candidate": "candidate"}
SLICES = {"by type": "article_type", "by gender": "gender", "by colour": "base_colour"}


def section(source: SectionSource) -> Section:
    """Training, scores and the round of the newest candidate; the sections stand also where there is none yet."""
    rows = score_rows(source.scores)
    people = {"people": "People"} if source.round else {}
    return Section(
        headings={"training": "Training", "scores": "Scores", **people},
        template=Path(__file__).with_name("report_section.html.jinja"),
        values={
            "curves": _curves(source.instance, source.candidate),
            "score_rows": rows,
            "slices": [(label, slice_rows(source.scores, column)) for label, column in SLICES.items()],
            "score_plot": source.picture("confusion.png", "what the candidate confuses"),
            "risk_plot": source.picture("coverage_risk.png", "share answered against share wrong"),
            "summary": source.round,
            "floors": FLOORS,
            "ceilings": CEILINGS,
            "models": MODELS,
        },
        figures=_figures(rows),
        headline=source.promotion,
    )


def score_rows(scores: "pd.DataFrame", metric: str = "macro_f1") -> list[dict[str, Any]]:
    """One row an attribute (the mean first): every subject's value and interval, the hardest floor, the support, and
    what the candidate is ahead of the CNN.

    The floor of the mean is the mean of the attributes' hardest ones, which the gate asks for: no floor is the hardest
    everywhere.

    Args:
        scores: table of that name; empty where nothing was scored.
    """
    if scores.empty:
        return []
    whole = scores[(scores["metric"] == metric) & (scores["slice"] == "all")]
    attributes = sorted(whole["attribute"].unique(), key=lambda name: (name != "mean", name))
    ahead = scores[(scores["metric"] == f"{metric}_minus_cnn") & (scores["slice"] == "all")].set_index("attribute")
    rows = []
    for attribute in attributes:
        of_attribute = whole[whole["attribute"] == attribute]
        marks = {
            row.subject: {"value": row.value, "low": row.low, "high": row.high}
            for row in of_attribute.itertuples(index=False)
        }
        rows.append({"attribute": attribute, "support": int(of_attribute["support"].max()), "marks": marks})
        rows[-1]["floor"] = _hardest_floor(marks)
        rows[-1]["cnn"] = _against(ahead.loc[attribute]) if attribute in ahead.index else None
    hardest = [row["floor"]["value"] for row in rows if row["attribute"] != "mean" and row["floor"]]
    for row in rows:
        if row["attribute"] == "mean" and hardest:
            row["floor"] = {"value": sum(hardest) / len(hardest), "name": "mean of the attributes' hardest floors"}
    return rows


def _against(difference: "pd.Series[Any]") -> dict[str, Any]:
    """A paired difference and what it says: `word` is better, worse or, where its interval holds 0, level."""
    word = "better" if difference["low"] > 0 else "worse" if difference["high"] < 0 else "level"
    return {"value": difference["value"], "low": difference["low"], "high": difference["high"], "word": word}


def _hardest_floor(marks: dict[str, Any]) -> dict[str, Any] | None:
    """value and name of the floor that is hardest to beat; None where none was scored."""
    floors = [name for name in marks if name in FLOORS]
    best = max(floors, key=lambda name: marks[name]["value"], default=None)
    return {"value": marks[best]["value"], "name": FLOORS[best]} if best else None


def slice_rows(scores: "pd.DataFrame", column: str, metric: str = "macro_f1") -> list[dict[str, Any]]:
    """The mean score of base and candidate by one slicing column, largest slices first."""
    if scores.empty:
        return []
    means = scores[(scores["metric"] == metric) & (scores["attribute"] == "mean")]
    rows = []
    for name, of_slice in means[means["slice"].str.startswith(f"{column}=")].groupby("slice"):
        marks = of_slice.set_index("subject")
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


def _figures(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The mean of the candidate for the top of the page; nothing before the first."""
    mean = rows[0]["marks"] if rows else {}
    if "candidate" not in mean:
        return []
    beside = f" (base {mean['base']['value']:.2f})" if "base" in mean else ""
    return [(f"{mean['candidate']['value']:.2f}", f"mean macro-F1 of the candidate on test{beside}")]


def _curves(instance: "dg.DagsterInstance", candidate: str | None) -> "Picture | None":
    """Losses and validation accuracy of the candidate, from what its training recorded."""
    from catalog.pages import Picture
    from evaluation.plots import learning_curves
    from orchestration.assets.published import materialised

    recorded = materialised(instance, CANDIDATE, candidate) if candidate else None
    if not recorded or not recorded.get("history"):
        return None
    return Picture(learning_curves(recorded["history"]), "image/png", "learning curves of the candidate")
