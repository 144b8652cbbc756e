"""Failures: how an error of ours looks in Dagster, and which ones are tried again.

Belongs here: the decorator every asset body wears. Not here: the errors themselves (catalog/errors.py).

Dagster has three retry systems that do not know of each other. A `SelvedgeError` is permanent: it must stop all three,
so the run is tagged as well. A `ServiceUnavailable` is worth waiting for, a few times. Anything else is a defect of
the program and is shown as it is.
"""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import dagster as dg

from catalog.errors import SelvedgeError, ServiceUnavailable
from catalog.places import refused_by_the_machine, sentence_of
from training.stopping import TrainingStopped

P = ParamSpec("P")
R = TypeVar("R")

SENTENCE_TAG = "selvedge/failure"
STOPPED_TAG = "selvedge/stopped"  # somebody asked a long job to stop, and it saved what it had
TRANSIENT_TAG = "selvedge/transient"  # a service did not answer, however often it was asked
TAG_CHARACTERS = 1000
NO_RUN_RETRY = {"dagster/retry_on_asset_or_op_failure": "false"}
RETRIES = 3
FIRST_WAIT_SECONDS = 2.0


def errors_as_sentences(body: Callable[P, R]) -> Callable[P, R]:
    """An asset or check body whose errors end the step with their one sentence."""

    @functools.wraps(body)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        context: Any = args[0] if args else kwargs["context"]
        try:
            return body(*args, **kwargs)
        except SelvedgeError as error:
            raise _in_dagster(context, error) from error
        except Exception as error:
            refusal = None if isinstance(error, dg.Failure | dg.RetryRequested) else refused_by_the_machine(error)
            if refusal is None:
                raise  # a defect of the program
            raise _in_dagster(context, SelvedgeError(sentence_of(refusal))) from error

    return wrapped


def _in_dagster(context: Any, error: SelvedgeError) -> Exception:
    attempt = context.op_execution_context.retry_number
    if isinstance(error, ServiceUnavailable) and attempt < RETRIES:
        context.log.warning(str(error))
        return dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=FIRST_WAIT_SECONDS * 2**attempt)
    sentence = str(error)
    tags = {SENTENCE_TAG: sentence[:TAG_CHARACTERS], **NO_RUN_RETRY}
    if isinstance(error, ServiceUnavailable):
        tags[TRANSIENT_TAG] = "true"
    if isinstance(error, TrainingStopped):
        tags[STOPPED_TAG] = "true"
    context.instance.add_run_tags(context.run.run_id, tags)
    return dg.Failure(description=sentence, metadata={"sentence": sentence}, allow_retries=False)
