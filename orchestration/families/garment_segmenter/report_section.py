"""The section of the report on garment-segmenter: how well its newest candidate sees held-out parts.

Belongs here: the rows. Not here: HTML (report_section.html.jinja). Before the first candidate there is no section.
"""

from pathlib import Path

from orchestration.families.section import Section, SectionSource

SUBJECTS = {
    "candidate": "candidate",
    "champion": "champion",
    "base": "mask of the nearest labelled picture",
    "floor:mean_label": "commonest class of every pixel",
}
TRAINED = "training/garment_segmenter_candidate"


def section(source: SectionSource) -> Section | None:
    """None as long as nothing was scored."""
    if source.candidate is None or source.scores.empty:
        return None
    from orchestration.assets.published import materialised

    iou = source.scores[source.scores["metric"] == "iou"].set_index(["subject", "attribute"])["value"]
    whole = source.scores[source.scores["metric"] == "foreground_iou"].set_index("subject")["value"]
    classes = sorted(set(iou["candidate"].index) - {"mean"})
    rows = [
        (label, float(whole[subject]), float(iou[subject, "mean"]), [float(iou[subject, name]) for name in classes])
        for subject, label in SUBJECTS.items()
        if subject in whole.index
    ]
    trained = materialised(source.instance, TRAINED, source.candidate) or {}
    return Section(
        headings={"garment-segmenter": "Parts of garments"},
        template=Path(__file__).with_name("report_section.html.jinja"),
        values={
            "candidate": source.candidate,
            "classes": classes,
            "rows": rows,
            "pictures": int(source.scores["support"].max()),
            "learnt": trained.get("result") or {},
            "promotion": source.promotion,
            "summary": source.round,
        },
    )
