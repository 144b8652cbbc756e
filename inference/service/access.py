"""Access: which client asks, what it may ask, and how often.

Belongs here: reading the key off a request, rates, requests at once. Not here: keys (keys.py), unfinished jobs
(jobs.py counts those).

Rates are counted in this process: several servers of one database let a client have so much each.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Annotated

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from inference.service.keys import Client, Keys
from inference.service.refusals import RequestRefused

BEARER = HTTPBearer(auto_error=False, description="A key of `selvedge serve key add`.")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)]


def may(keys: Keys, right: str) -> Callable[[Request, Credentials], Client]:
    """What lets a request in whose key has a right, and says whose it is.

    Raises (when called):
        RequestRefused: 401 no key, or nobody's; 403 a key without the right.
    """

    def client(request: Request, credentials: Credentials = None) -> Client:
        if credentials is None:
            raise RequestRefused(401, "no_key", "send a key as `Authorization: Bearer KEY`; whoever runs this has one.")
        asking = keys.client_of(credentials.credentials)
        if asking is None:
            raise RequestRefused(401, "no_key", "this key opens nothing here; ask whoever runs this for another.")
        request.state.client = asking.name
        if right not in asking.rights:
            raise RequestRefused(403, "no_right", f"the key of {asking.name} has no right to {right}.")
        return asking

    return client


class Admission:
    """How much work each client may ask for: a bucket of requests that fills evenly, and so many at once.

    Args:
        per_minute: requests; as many may come at once after a quiet minute.
        at_once: requests that are answered while the client waits.
    """

    def __init__(self, per_minute: int, at_once: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute, self._at_once, self._clock = per_minute, at_once, clock
        self._buckets: dict[str, tuple[float, float]] = {}  # client -> requests left, and when that was so
        self._busy: Counter[str] = Counter()
        self._lock = Lock()

    def count(self, client: str) -> None:
        """One request more. Raises: RequestRefused: 429, with the seconds until the next one."""
        with self._lock:
            now = self._clock()
            left, then = self._buckets.get(client, (float(self._per_minute), now))
            left = min(float(self._per_minute), left + (now - then) * self._per_minute / 60)
            if left < 1:
                wait = int((1 - left) * 60 / self._per_minute) + 1
                raise RequestRefused(
                    429, "too_many", f"{client} asks more than {self._per_minute} times a minute; wait a while.", wait
                )
            self._buckets[client] = (left - 1, now)

    @contextmanager
    def answering(self, client: str) -> Iterator[None]:
        """While one request is answered. Raises: RequestRefused: 429, too many are."""
        self.count(client)
        with self._lock:
            if self._busy[client] >= self._at_once:
                sentence = f"{client} has {self._at_once} requests being answered, the most at once; wait for one."
                raise RequestRefused(429, "too_many", sentence, 1)
            self._busy[client] += 1
        try:
            yield
        finally:
            with self._lock:
                self._busy[client] -= 1
