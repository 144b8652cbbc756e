"""The toy's section of the report."""

from pathlib import Path

from orchestration.families.section import Section, SectionSource


def section(source: SectionSource) -> Section | None:
    if source.candidate is None:
        return None
    scores = source.scores
    own = scores[(scores["subject"] == "candidate") & (scores["attribute"] == "mean")]
    return Section(
        headings={"toys": "Toys"},
        template=Path(__file__).with_name("report_section.html.jinja"),
        values={"candidate": source.candidate, "mean": float(own["value"].iloc[0]), "summary": source.round},
        figures=[(f"{float(own['value'].iloc[0]):.1f}", "number of the toy")],
    )
