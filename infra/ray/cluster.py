"""A Ray cluster as a mapper of batches: named work, Arrow tables in, Arrow tables out, in their order.

Belongs here: the side that asks. Not here: Ray itself (driver.py), what is computed, whether a cluster is used at all
(orchestration/runtime/compute.py).
"""

import contextlib
import multiprocessing
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from multiprocessing.connection import Connection

import pyarrow as pa

from infra.errors import ServiceFailure
from infra.ray.driver import LOCAL, drive
from infra.ray.errors import ClusterRefusal
from infra.ray.messages import BATCH, GO, LOST, RAISED, REFUSED, Named, Raised, from_bytes, receive, send, to_bytes

WINDOW_BYTES = 2**30  # of batches that lie in Ray's object store at once
CONNECT_SECONDS = 5.0  # Ray itself waits two minutes
GRACE_SECONDS = 10.0


class RayCluster:
    """A cluster at an address.

    Args:
        address: `host:port` of its head, where this machine is one of its nodes, or `local`: one is started here.
        window_bytes: batches are handed to Ray in windows of so many bytes; the actors of a window end with it.
    """

    def __init__(self, address: str, window_bytes: int = WINDOW_BYTES):
        self.address, self.window_bytes = address, window_bytes

    def map(self, factory: str, arguments: Mapping[str, str], batches: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """What becomes of each batch, in the order of the batches.

        Args:
            factory: `module:function`, found by name on every node; called with `arguments` once in every process, it
                gives what is called with each batch.

        Raises:
            ServiceFailure: no cluster answers, or it was lost meanwhile. ClusterRefusal: it cannot do the work.
            Exception: what the work raised, as it was raised, but for an ImportError.
        """
        contents = (to_bytes(batch) for batch in batches)
        first = next(contents, None)
        if first is None:
            return
        self._require_answer()
        ours, theirs = multiprocessing.Pipe()
        # A fresh interpreter: a fork of a process with threads and torch may hang.
        process = multiprocessing.get_context("spawn").Process(
            target=drive, args=(theirs, self.address, Named(factory, dict(arguments))), daemon=True
        )
        process.start()
        theirs.close()
        try:
            while first is not None:
                count, first = self._hand_over(ours, first, contents)
                for _ in range(count):
                    yield self._result(ours)
        except (EOFError, ConnectionError) as error:
            raise self._lost("its process ended") from error
        finally:
            ours.close()
            process.join(GRACE_SECONDS)
            process.kill()
            process.join()

    def _require_answer(self) -> None:
        """Raises: ServiceFailure: nothing listens at the address."""
        if self.address == LOCAL:
            return
        host, _, port = self.address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
        except OSError as error:
            raise ServiceFailure(
                f"no Ray cluster answers at {self.address} ({error.strerror or error}); start it there with `ray start "
                "--head`, or set SELVEDGE_RAY_ADDRESS."
            ) from error

    def _hand_over(self, ours: Connection, first: bytes, contents: Iterator[bytes]) -> tuple[int, bytes | None]:
        """Send a window; how many batches it has, and the one that the next begins with."""
        content: bytes | None = first
        count = size = 0
        while content is not None and (count == 0 or size + len(content) <= self.window_bytes):
            send(ours, BATCH, content)
            count, size, content = count + 1, size + len(content), next(contents, None)
        send(ours, GO)
        return count, content

    def _result(self, ours: Connection) -> pa.Table:
        kind, content = receive(ours)
        if kind == RAISED:
            error = again(Raised.from_json(content.decode()))
            raise self._refused(f"{error} on a node") if isinstance(error, ImportError) else error
        if kind == REFUSED:
            raise self._refused(content.decode())
        if kind == LOST:
            raise self._lost(content.decode())
        return from_bytes(content)

    def _refused(self, reason: str) -> ClusterRefusal:
        return ClusterRefusal(
            f"the Ray cluster at {self.address} cannot do this ({reason:.200}); every node needs the Selvedge, Ray and "
            "Python of this machine, and one a processor or GPU to give."
        )

    def _lost(self, reason: str) -> ServiceFailure:
        return ServiceFailure(
            f"the Ray cluster at {self.address} was lost while it computed ({reason:.200}); nothing of this step was "
            "published: see that its head runs, and run again."
        )


def again(raised: Raised) -> Exception:
    """The exception that was raised elsewhere; a RuntimeError where its class is not loaded here or takes more."""
    kind = getattr(sys.modules.get(raised.module), raised.name, None)
    if isinstance(kind, type) and issubclass(kind, Exception):
        with contextlib.suppress(TypeError):  # made of more than a text
            return kind(raised.text)
    return RuntimeError(f"{raised.name}: {raised.text}")
