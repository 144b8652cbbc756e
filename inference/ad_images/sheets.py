"""Sheets: the plans of a request side by side, to be looked at by a person.

Belongs here: one request's plans with their scores and reasons. Not here: the pictures themselves (pipeline.py), the
sheet of a drop on Dagster's page (orchestration/assets/metadata.py).
"""

import importlib.util
import textwrap
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from inference.ad_images.result import AdResult, Judged

CELL, GAP, LINE = 320, 16, 17  # pixels
INK, SOFT, GOOD, BAD, PAPER = "#1d1f24", "#686d78", "#0f6b5c", "#a63d2f", "#fbfaf8"
TEXT_LINES = 5  # under a plan
CHARACTERS = 44  # of a line of text under a cell


def plan_sheet(result: AdResult) -> Image.Image:
    """Every plan of the last attempt with its score and the reason why it fell; the top pictures are framed.

    Returns:
        RGB; three cells a row under two lines that say what was asked.
    """
    judged = result.attempts[-1].judged
    columns = min(3, len(judged))
    rows = -(-len(judged) // columns)
    head = 3 * LINE + GAP
    tall = CELL + TEXT_LINES * LINE + GAP
    sheet = Image.new("RGB", (columns * (CELL + GAP) + GAP, head + rows * tall + GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    title, caption = _font(14), _font(12)
    brief = result.brief
    draw.text((GAP, GAP // 2), f"{brief.subject} · {brief.theme} · {len(result.attempts)} attempt(s)", INK, title)
    for number, line in enumerate(textwrap.wrap(result.caption, 3 * CHARACTERS)[:2]):
        draw.text((GAP, GAP // 2 + LINE * (number + 1) + 3), line, SOFT, caption)
    for position, plan in enumerate(judged):
        row, column = divmod(position, columns)
        left, top = GAP + column * (CELL + GAP), head + GAP + row * tall
        _paste(sheet, plan, left, top, CELL)
        rank = list(result.top).index(position) + 1 if position in result.top else 0
        if rank:
            draw.rectangle((left - 3, top - 3, left + CELL + 2, top + CELL + 2), outline=GOOD, width=3)
        for number, (text, colour) in enumerate(_plan_lines(plan, rank)[:TEXT_LINES]):
            draw.text((left, top + CELL + 4 + number * LINE), text, colour, caption)
    return sheet


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans as matplotlib ships it: Pillow's own font has no Greek letter."""
    spec = importlib.util.find_spec("matplotlib")
    assert spec is not None
    assert spec.origin is not None
    return ImageFont.truetype(Path(spec.origin).parent / "mpl-data/fonts/ttf/DejaVuSans.ttf", size)


def _paste(sheet: Image.Image, judged: Judged, left: int, top: int, side: int) -> None:
    picture = Image.fromarray(judged.picture.pixels)
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    sheet.paste(picture, (left + (side - picture.width) // 2, top + (side - picture.height) // 2))


def _plan_lines(judged: Judged, rank: int) -> list[tuple[str, str]]:
    plan = judged.picture.placed.plan
    turned = f", {plan.rotation:+.0f}°" if plan.rotation else ""
    head = (
        f"plan {plan.number + 1}: section {plan.section + 1} of {plan.sections}{turned}, score {judged.score + 0.0:.2f}"
    )
    lines = [(head, INK)]
    if rank:
        lines.append((f"chosen, number {rank}", GOOD))
    elif not judged.failed:
        lines.append(("passed", GOOD))
    for finding in judged.failed:
        lines += [(line, BAD) for line in textwrap.wrap(finding.sentence, CHARACTERS)]
    return lines
