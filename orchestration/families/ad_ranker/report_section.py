"""The section of the report on ad-ranker: how its newest candidate orders held-out picks.

Belongs here: the rows. Not here: HTML (report_section.html.jinja). Before the first candidate there is no section.
"""

from pathlib import Path

from orchestration.families.section import Section, SectionSource

METRICS = ("pair_accuracy", "accuracy", "log_loss", "calibration_error")
SUBJECTS = {
    "candidate": "candidate",
    "champion": "champion",
    "base": "untrained order",
    "floor:random": "any order, by chance",
}
TRAINED = "training/ad_ranker_candidate"


def section(source: SectionSource) -> Section | None:
    """None as long as nobody has picked enough for a candidate."""
    if source.candidate is None or source.scores.empty:
        return None
    from orchestration.assets.published import materialised

    scores = source.scores
    whole = scores[scores["attribute"] == "mean"].set_index(["subject", "metric"])
    rows = [
        (label, [float(whole.loc[(subject, metric), "value"]) if (subject, metric) in whole.index else None
                 for metric in METRICS])
        for subject, label in SUBJECTS.items()
        if (subject, METRICS[0]) in whole.index
    ]  # fmt: skip
    own = whole.loc[("candidate", METRICS[0])]
    trained = materialised(source.instance, TRAINED, source.candidate) or {}
    return Section(
        headings={"ad-ranker": "Ranking of ads"},
        template=Path(__file__).with_name("report_section.html.jinja"),
        values={
            "candidate": source.candidate,
            "metrics": METRICS,
            "rows": rows,
            "picks": int(own["support"]),
            "simulated": bool((trained.get("result") or {}).get("simulated_picks")),
            "promotion": source.promotion,
            "summary": source.round,
        },
    )
