"""Failures: how an error of ours looks in Dagster, and which ones are tried again.

Belongs here: the decorator every asset body wears. Not here: the errors themselves (catalog/errors.py), what a result
says of its costs (costs.py).

Dagster has three retry systems that do not know of each other. A `SelvedgeError` is permanent: it must stop all three,
so the run is tagged as well. A `ServiceUnavailable` is worth waiting for: about a minute in all, longer than `selvedge
up` takes to start a service again on a busy machine. Anything else is a defect of the program and is shown as it is.
"""

import functools
import random
import time
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import dagster as dg

from catalog.errors import SelvedgeError, ServiceUnavailable
from catalog.places import FULL, refused_by_the_machine, sentence_of
from orchestration.assets.costs import with_costs
from orchestration.runtime.reserve import keep_reserve_of, let_reserve_go
from training.stopping import TrainingStopped

P = ParamSpec("P")
R = TypeVar("R")

SENTENCE_TAG = "selvedge/failure"
STOPPED_TAG = "selvedge/stopped"  # somebody asked a long job to stop, and it saved what it had
TRANSIENT_TAG = "selvedge/transient"  # a service did not answer, however often it was asked
TAG_CHARACTERS = 1000
NO_RUN_RETRY = {"dagster/retry_on_asset_or_op_failure": "false"}
RETRIES = 5
FIRST_WAIT_SECONDS = 2.0  # then twice as long each time
JITTER = 0.25  # of a wait, either way: runs that lost the same service must not all come back at the same moment


def errors_as_sentences(body: Callable[P, R]) -> Callable[P, R]:
    """An asset or check body whose errors end the step with their one sentence, and whose result says what it took."""

    @functools.wraps(body)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        context: Any = args[0] if args else kwargs["context"]
        began = time.monotonic()
        try:
            keep_reserve_of(context.instance)
            return with_costs(body(*args, **kwargs), time.monotonic() - began)
        except SelvedgeError as error:
            _make_room(context, refused_by_the_machine(error))
            raise _in_dagster(context, error) from error
        except Exception as error:
            refusal = None if isinstance(error, dg.Failure | dg.RetryRequested) else refused_by_the_machine(error)
            if refusal is None:
                raise  # a defect of the program
            _make_room(context, refusal)
            raise _in_dagster(context, SelvedgeError(sentence_of(refusal))) from error

    return wrapped


def _make_room(context: Any, refusal: OSError | None) -> None:
    """On a full disk Dagster needs some room to write down that the step failed."""
    if refusal is not None and refusal.errno in FULL:
        let_reserve_go(context.instance)


def _in_dagster(context: Any, error: SelvedgeError) -> Exception:
    attempt = context.op_execution_context.retry_number
    if isinstance(error, ServiceUnavailable) and attempt < RETRIES:
        context.log.warning(str(error))
        wait = FIRST_WAIT_SECONDS * 2**attempt * random.uniform(1 - JITTER, 1 + JITTER)
        return dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=wait)
    sentence = str(error)
    tags = {SENTENCE_TAG: sentence[:TAG_CHARACTERS], **NO_RUN_RETRY}
    if isinstance(error, ServiceUnavailable):
        tags[TRANSIENT_TAG] = "true"
    if isinstance(error, TrainingStopped):
        tags[STOPPED_TAG] = "true"
    context.instance.add_run_tags(context.run.run_id, tags)
    return dg.Failure(description=sentence, metadata={"sentence": sentence}, allow_retries=False)
