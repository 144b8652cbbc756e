"""Automation conditions: what follows by itself, once.

Belongs here: when an asset is requested. Not here: what runs then.

All are edge-triggered: something happens (a partition appears, a dependency is updated), and the asset is requested
once for it. A failed run is therefore not requested again until something new happens upstream or a person asks; a
condition that is merely true (`execution_failed()`, `missing()`) was seen elsewhere to start 368,000 runs over one
missing file. None of them resets on its first evaluation, as Dagster's own `eager()` does: what a stopped daemon
missed still follows.
"""

import dagster as dg

C = dg.AutomationCondition


def _news() -> dg.AutomationCondition:
    return (C.newly_missing() | C.any_deps_updated()).since(C.newly_requested() | C.newly_updated())


def follows_new() -> dg.AutomationCondition:
    """A partition that is not there yet, as soon as what it is made from is there and has passed its blocking checks.

    Never one that is there already: a new champion marks old drops stale, and people decide when to pay for them.
    """
    return (
        C.missing()
        & _news()
        & ~C.any_deps_missing()
        & ~C.any_deps_in_progress()
        & ~C.in_progress()
        & C.all_deps_blocking_checks_passed()
    ).with_label("follows what is new")


def follows_every_change(of: dg.AssetSelection) -> dg.AutomationCondition:
    """An unpartitioned table that is rebuilt whenever what it is made from changes, one writer at a time.

    A drop that never arrived whole must not hold up the others, so missing partitions are not waited for: the body
    takes the drops that are there.

    Args:
        of: the dependencies that count: the last ones to be there.
    """
    updated = C.any_deps_updated().allow(of)
    there = C.any_deps_match(~C.missing() | C.will_be_requested()).allow(of)
    return (
        (C.newly_missing() | updated).since(C.newly_requested() | C.newly_updated())
        & there
        & ~C.any_deps_in_progress().allow(of)
        & ~C.in_progress()
        & C.all_deps_blocking_checks_passed().allow(of)
    ).with_label("follows every change")


def once_per_candidate() -> dg.AutomationCondition:
    """A promotion: once for a candidate whose gate has passed, whatever is materialised again later.

    Built on `missing()`: `eager()` promotes an old winner again when its scores are re-materialised. And never in the
    run that makes the scores: a gate lost there is a warning (losing is ordinary), which does not stop a run.
    """
    gate_passed = C.all_deps_match(C.all_checks_match(C.check_passed(), blocking_only=True))
    return (
        C.missing()
        & _news()
        & ~C.any_deps_match(C.missing())
        & ~C.any_deps_in_progress()
        & ~C.in_progress()
        & gate_passed
    ).with_label("once per candidate")
