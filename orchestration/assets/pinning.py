"""Pinning: a backfill works with the champions of the moment it was asked for, to its last drop.

Belongs here: that moment, as a run knows it. Not here: which version was champion then (families/stages.py), asking
for a backfill (orchestration/jobs/backfill.py).

Half a month by one champion and half by the next is no result. The moment is no new record that could be lost or raced
for: Dagster writes it down with every backfill, whether a command or its page asked for it, and every run of a backfill
carries the backfill's id. A command that makes drops in its own process gives it to its runs as a tag.
"""

from collections.abc import Mapping

import dagster as dg

from catalog.errors import SelvedgeError

BACKFILL_TAG = "dagster/backfill"
MOMENT_TAG = "selvedge/champions_of"  # seconds since the epoch


def pinned_at(instance: dg.DagsterInstance, tags: Mapping[str, str]) -> float | None:
    """When the backfill that a run belongs to was asked for, in seconds since the epoch; None for any other run.

    Args:
        tags: of the run.

    Raises:
        SelvedgeError: the tag of the moment, which anybody may type in Dagster's page, is no number.
    """
    moment = tags.get(MOMENT_TAG)
    if moment is not None:
        try:
            return float(moment)
        except ValueError:
            raise SelvedgeError(
                f"the run's tag {MOMENT_TAG} is {moment[:40]!r} and no moment in seconds; leave it out."
            ) from None
    backfill = instance.get_backfill(tags[BACKFILL_TAG]) if BACKFILL_TAG in tags else None
    return None if backfill is None else backfill.backfill_timestamp
