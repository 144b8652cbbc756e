"""What the report asks of a family: its section of the page.

Belongs here: what a family is handed for its section, and what it gives back; nothing heavy is imported. Not here:
gathering the former, the page (orchestration/report/), any one family's section (report_section.py in its folder).

A family's section is a template beside its declaration. The page's filters are there, and so are the macros of
orchestration/report/family.html.jinja, which say the same of every family: how its round ended, whether its candidate
was promoted.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import dagster as dg
    import pandas as pd

    from catalog.pages import Picture
    from labeling.review.rounds.summary import RoundSummary


@dataclass(frozen=True)
class Promotion:
    """What became of the newest candidate.

    Attributes:
        version: in the registry; empty where it was not promoted. against: whom the evidence sets it beside.
        simulated: scripted annotators voted.
        remark: what a promotion without a measurable gain rests on, and what could not be checked; mostly empty.
    """

    candidate: str
    version: str
    promoted: bool
    reasons: Sequence[str]
    against: str
    simulated: bool
    remark: str = ""


@dataclass(frozen=True)
class SectionSource:
    """What a family's section is made from.

    Attributes:
        candidate: the newest that was scored; None where none was.
        scores: the table `scores` of that candidate; empty where there is none.
        picture: (file name, label) -> a plot that was kept beside the candidate's evidence; None where there is none.
    """

    instance: "dg.DagsterInstance"
    candidate: str | None
    scores: "pd.DataFrame"
    picture: "Callable[[str, str], Picture | None]"
    round: "RoundSummary | None"
    promotion: Promotion | None


@dataclass(frozen=True)
class Section:
    """A family's part of the page.

    Attributes:
        headings: anchor -> what the page's navigation calls it, in the order of the template's headings.
        template: its Jinja file. values: what the template is given, by name.
        figures: (value, caption) of the row of figures at the top of the page.
        headline: shown at the top of the page; None for a family that says it in its section.
    """

    headings: Mapping[str, str]
    template: Path
    values: Mapping[str, Any]
    figures: Sequence[tuple[str, str]] = ()
    headline: Promotion | None = None
