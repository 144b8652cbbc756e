"""The report as one self-contained HTML page: no script, no font, no picture from elsewhere.

Belongs here: turning what was gathered into HTML, each family's section by its own template. Not here: where it comes
from (home.py and its neighbours), what a family's section says (report_section.html.jinja in its folder).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from catalog.pages import STYLE, page_environment
from orchestration.families.section import Section
from orchestration.report.gather import ReportData

if TYPE_CHECKING:
    from jinja2 import Environment

HERE = Path(__file__).parent


def bars(counts: pd.Series, most: int = 12) -> list[dict[str, Any]]:
    """The largest counts with their share of the largest, and the rest as one, marked as that."""
    top = counts.head(most)
    rest = int(counts.iloc[most:].sum())
    rows: list[dict[str, Any]] = [{"name": str(name), "count": int(count)} for name, count in top.items()]
    if rest:
        rows.append({"name": f"{len(counts) - most} more", "count": rest, "rest": True})
    # The sum of many is no bar of its own kind: it may not shrink those that are.
    largest = max((int(count) for count in top), default=1)
    return [{"rest": False, **row, "share": min(1.0, row["count"] / largest)} for row in rows]


def render_report(data: ReportData) -> str:
    """The whole page as HTML text."""
    products = data.catalogue.products
    return (
        _environment(HERE)
        .get_template("report.html.jinja")
        .render(
            catalogue=data.catalogue,
            sections=data.sections,
            published=data.published,
            ads=data.ads,
            lineage=data.lineage,
            chains=data.chains,
            commands=data.commands,
            seconds=data.seconds,
            peak_memory=data.peak_memory,
            css=STYLE.read_text(),
            section_html=render_section,
            types=bars(products["article_type"].value_counts()),
            genders=bars(products["gender"].value_counts()),
        )
    )


def render_section(section: Section) -> str:
    """A family's section, safe to stand in the page as it is."""
    from markupsafe import Markup

    environment = _environment(section.template.parent, HERE)
    return Markup(environment.get_template(section.template.name).render(section.values))


def _environment(*folders: Path) -> "Environment":
    environment = page_environment(*folders)
    environment.filters["thousands"] = lambda number: f"{number:,}"
    environment.filters["percent"] = lambda share: f"{100 * share:.0f} %"
    environment.filters["score"] = score
    return environment


def score(value: float | None) -> str:
    """Two digits; a dash where there is no value or NaN."""
    return "–" if value is None or value != value else f"{value:.2f}"
