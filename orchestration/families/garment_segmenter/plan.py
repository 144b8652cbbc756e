"""The plan of HandsOff as a segmenter needs it: with test pictures.

Belongs here: reading it, and why a home has none. Not here: the plan (training/handsoff/plan.py).
"""

from typing import TYPE_CHECKING

from catalog.errors import SelvedgeError

if TYPE_CHECKING:
    from orchestration.runtime.settings import Settings
    from training.handsoff.plan import Plan


def segmenter_plan(settings: "Settings") -> "Plan":
    """The plan that the settings name.

    Raises:
        SelvedgeError: none is named, it cannot be read, or it names no test pictures.
    """
    from training.handsoff.plan import read_plan

    if settings.handsoff is None:
        raise SelvedgeError(
            "no few labelled pictures are named; write a plan of HandsOff and set SELVEDGE_HANDSOFF to it."
        )
    plan = read_plan(settings.handsoff)
    if not plan.test:
        raise SelvedgeError(
            f"plan {settings.handsoff} names no test pictures; label more, which nothing learns from, and write "
            "`test: DIR` into it."
        )
    return plan


def lacking(settings: "Settings") -> str:
    """Why this home trains no segmenter, in one sentence; "" where it can."""
    try:
        segmenter_plan(settings)
    except SelvedgeError as error:
        return str(error)
    return ""
