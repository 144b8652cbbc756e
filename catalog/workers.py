"""Worker processes: one function over many chunks of work on all cores, with bounded memory.

Belongs here: starting, feeding and ending the processes. Not here: what they compute.

Processes and not threads: on 168 x 224 JPEGs two threads read 0.6 times the images a second of one (measured), because
opening an image is Python code that holds the interpreter lock. The fork server is used, not a plain fork, because the
parent may run threads (Dagster, Arrow), and a forked copy of a locked mutex never unlocks.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from catalog.errors import SelvedgeError

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")
Progress = Callable[[int, int, str], None]
"""Called as `progress(done, total, what)`; a training reporter's `progress` method fits."""

CHUNKS_IN_FLIGHT_PER_WORKER = 8
WORKER_START_SECONDS = 1.5
PRELOADED = ["catalog.product_files", "catalog.standard_copies"]


def usable_cores() -> int:
    """Cores this process may use; a container's limit counts."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_in_order(
    function: Callable[[Chunk], Result],
    chunks: Sequence[Chunk],
    *,
    workers: int | None = None,
    preload: Sequence[str] = (),
) -> Iterator[Result]:
    """`map(function, chunks)` over processes, results in order, at most a few chunks in flight per worker.

    Args:
        function: a module-level function; what it takes and gives back must pickle.
        chunks: the work; a chunk should take a worker tens of milliseconds or more.
        workers: processes; 1 or fewer runs everything in this process. None: the cores this process may use, unless the
            first chunk shows that the rest takes less time than starting them.
        preload: modules that the fork server, which starts once in a process, shall import beside its usual ones;
            without it, or later, every worker imports what it needs.

    Raises:
        SelvedgeError: a worker died, most likely for want of memory.
    """
    if workers is None and chunks:
        started = time.perf_counter()
        yield function(chunks[0])
        chunks = chunks[1:]
        remaining_seconds = (time.perf_counter() - started) * len(chunks)
        workers = usable_cores() if remaining_seconds > WORKER_START_SECONDS else 1
    if workers is None or workers <= 1 or len(chunks) <= 1:
        yield from map(function, chunks)
        return
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*PRELOADED, *preload])
    pool = ProcessPoolExecutor(
        min(workers, len(chunks)), mp_context=context, initializer=_prepare_worker, initargs=(dict(os.environ),)
    )
    pending: deque[Future[Result]] = deque()
    remaining = iter(chunks)
    try:
        for chunk in remaining:
            pending.append(pool.submit(function, chunk))
            if len(pending) >= workers * CHUNKS_IN_FLIGHT_PER_WORKER:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    except BrokenProcessPool as error:
        raise SelvedgeError(
            "a worker process died at its work, most likely for want of memory; run again with fewer workers."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _prepare_worker(environment: dict[str, str]) -> None:
    """Ctrl-C is the parent's to handle; a worker ends when its parent is gone, also by kill -9.

    Args:
        environment: the parent's, now; the fork server keeps the one it was started with.
    """
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: "multiprocessing.process.BaseProcess") -> None:
    # A worker of ProcessPoolExecutor holds both ends of its queue and would wait for ever after a killed parent.
    parent.join()
    os._exit(1)
