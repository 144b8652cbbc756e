"""The section of the report on restgan: what the newest candidate draws, and what the attribute judge finds in it.

Belongs here: its figures and pictures. Not here: HTML (report_section.html.jinja), what the page says alike of every
family (orchestration/report/family.py).
"""

import base64
import re
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.families.section import Section, SectionSource

if TYPE_CHECKING:
    import pandas as pd

    from catalog.pages import Picture

COLOURS, WORDS = "training/color_table", "training/word_sequences"
PICTURES = "pictures"  # the attribute under which figures of whole pictures stand in the table `scores`


def section(source: SectionSource) -> Section | None:
    """What the newest candidate draws; None where none was scored."""
    from orchestration.assets.published import materialised
    from training.restgan.scoring import SCORES_PLOT, STRIP_FILE, WORDS_FILE

    if source.candidate is None:
        return None
    sequences = materialised(source.instance, WORDS) or {}
    colours = materialised(source.instance, COLOURS) or {}
    return Section(
        headings={"words": "Words and pictures"},
        template=Path(__file__).with_name("report_section.html.jinja"),
        values={
            "candidate": source.candidate,
            "bottoms": int(sequences.get("products", 0)),
            "words": source.picture(WORDS_FILE, "a picture after every word of held-out titles"),
            "compared": source.picture(STRIP_FILE, "the same words and noise for every model"),
            "colours": embedded_picture(str(colours.get("table", "")), "the colour table"),
            "score_plot": source.picture(SCORES_PLOT, "what held-out words drew"),
            "rows": figure_rows(source.scores),
            "summary": source.round,
            "promotion": source.promotion,
        },
    )


def figure_rows(scores: "pd.DataFrame") -> dict[str, dict[str, float]]:
    """Subject -> figure -> value over all held-out words: accuracy by attribute, figures of whole pictures by metric.

    Args:
        scores: table of that name.
    """
    rows: dict[str, dict[str, float]] = {}
    for row in scores[scores["slice"] == "all"].itertuples(index=False):
        if row.metric == "accuracy" or row.attribute == PICTURES:
            name = row.metric if row.attribute == PICTURES else row.attribute
            rows.setdefault(str(row.subject), {})[str(name)] = float(row.value)
    return rows


def embedded_picture(markdown: str, label: str) -> "Picture | None":
    """The picture that `orchestration.assets.metadata.image` put into an asset's metadata; None where there is none."""
    from catalog.pages import Picture

    match = re.search(r"data:(image/\w+);base64,([A-Za-z0-9+/=]+)", markdown)
    return Picture(base64.b64decode(match[2]), match[1], label) if match else None
