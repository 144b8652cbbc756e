"""The process that talks to Ray: it takes windows of batches and maps each over a pool of actors.

Belongs here: everything that imports ray. Not here: the process that asks (cluster.py), what is computed.

It is a process of its own because Ray ends the process that is connected to a cluster which is gone, without an
exception (`_exit`, after a minute of waiting for it); that would be the run itself.
"""

import importlib
import logging
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection
from typing import Any

import pyarrow as pa

from infra.ray.messages import BATCH, LOST, RAISED, REFUSED, RESULT, Named, Raised, from_bytes, receive, send, to_bytes

LOCAL = "local"
NUMBER, CONTENT, RAISED_BY_WORK = "number", "content", "raised"
Answer = tuple[bytes, str | None]  # what became of a batch, or what was raised instead


class Actor:
    """One process of the pool.

    What it is made with is small and plain: arguments of actors that lie in the object store are lost with their node,
    and such an actor cannot start again (https://github.com/ray-project/ray/issues/53727).
    """

    def __init__(self, factory: str, arguments: dict[str, str]):
        self._factory, self._arguments = factory, arguments
        self._work: Callable[[pa.Table], pa.Table] | None = None

    def __call__(self, rows: pa.Table) -> pa.Table:
        """Rows (number, content, raised) → the same with what became of each batch."""
        answers = [self._answer(content) for content in rows[CONTENT].to_pylist()]
        return _row_table(rows[NUMBER].to_pylist(), answers)

    def _answer(self, content: bytes) -> Answer:
        # What is raised becomes a row: Ray would wrap it in its own, with a page of stack traces for a text.
        try:
            if self._work is None:
                module, _, function = self._factory.partition(":")
                self._work = getattr(importlib.import_module(module), function)(**self._arguments)
            return to_bytes(self._work(from_bytes(content))), None
        except Exception as error:
            return b"", Raised(type(error).__module__, type(error).__qualname__, str(error)).to_json()


def drive(connection: Connection, address: str, named: Named) -> None:
    """Answer windows of work until the other side hangs up."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # this and the next are read when ray is imported
    if address == LOCAL:
        os.environ |= private_environment()
    import ray

    try:
        _connect(address)
        size, per_actor = _pool(ray.cluster_resources())
        while (window := _window(connection)) is not None:
            for content, raised in _in_order(_mapped(window, named, size, per_actor)):
                if raised is not None:
                    send(connection, RAISED, raised.encode())
                    return
                send(connection, RESULT, content)
    except (EOFError, BrokenPipeError):
        return  # the run that asked is gone
    except ray.exceptions.RayError as error:
        missing = re.search(r"No module named '[\w.]+'", str(error))
        send(connection, *((REFUSED, f"{missing[0]} on a node".encode()) if missing else (LOST, _first_line(error))))
    except (RuntimeError, ConnectionError, ValueError) as error:
        send(connection, REFUSED, _first_line(error))
    finally:
        ray.shutdown()


def private_environment() -> dict[str, str]:
    """Environment of a cluster of our own: only this machine reaches it, and only processes of it know the token.

    Ray binds every port to all interfaces unless it takes itself to be on a laptop, and would leave a token of its own
    in the person's home, readable by others.
    """
    return {
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }


def _connect(address: str) -> None:
    import ray
    import ray.data

    ray.init(
        address=address,
        include_dashboard=False if address == LOCAL else None,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # what fails is told in one sentence
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = True  # so that few results wait for an earlier one


def _pool(resources: dict[str, float]) -> tuple[int, dict[str, Any]]:
    """How many actors, and what each holds: one a GPU where the cluster has any, else one a processor.

    Raises:
        ValueError: the cluster has neither.
    """
    gpus, processors = int(resources.get("GPU", 0)), int(resources.get("CPU", 0))
    if not gpus and not processors:
        raise ValueError("it has no node with a processor")
    return (gpus, {"num_cpus": 0, "num_gpus": 1}) if gpus else (processors, {"num_cpus": 1})


def _window(connection: Connection) -> list[Any] | None:
    """References to the batches of a window, each in Ray's object store as soon as it came; None when all is done."""
    import ray

    references: list[Any] = []
    kind, content = receive(connection)
    while kind == BATCH:
        references.append(ray.put(_row_table([len(references)], [(content, None)])))
        kind, content = receive(connection)
    return references


def _mapped(window: list[Any], named: Named, size: int, per_actor: dict[str, Any]) -> Iterator[tuple[int, Answer]]:
    """Number and answer of every batch, as they come."""
    import ray

    results = ray.data.from_arrow_refs(window).map_batches(
        Actor,
        fn_constructor_args=(named.factory, named.arguments),
        batch_size=1,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=size, initial_size=min(size, len(window))),
        **per_actor,
    )
    answered: Iterable[Any] = results.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)
    for rows in answered:
        for number, *answer in zip(*(rows[name].to_pylist() for name in rows.column_names), strict=True):
            yield number, (answer[0], answer[1])


def _in_order(numbered: Iterable[tuple[int, Answer]]) -> Iterator[Answer]:
    """Answers by their number from 0, whatever order they come in."""
    waiting: dict[int, Answer] = {}
    due = 0
    for number, answer in numbered:
        waiting[number] = answer
        while due in waiting:
            yield waiting.pop(due)
            due += 1


def _row_table(numbers: list[int], answers: list[Answer]) -> pa.Table:
    return pa.table(
        {
            NUMBER: pa.array(numbers, pa.int64()),
            CONTENT: pa.array([content for content, _ in answers], pa.large_binary()),
            RAISED_BY_WORK: pa.array([raised for _, raised in answers], pa.string()),
        }
    )


def _first_line(error: Exception) -> bytes:
    return (str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__).encode()
