"""Jobs: what was accepted and is not answered at once, as rows that outlive the server and its workers.

Belongs here: accepting, leasing, retrying, ending. Not here: doing the work (worker.py), the columns (tables.py).

A worker leases a job and renews the lease while it works. One that was killed renews nothing, so the job is leased
again when its lease runs out. Every lease has a token, and who has lost it can write nothing any more: a job ends once.
"""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select
from sqlalchemy.exc import IntegrityError

from catalog.errors import SelvedgeError
from inference.databases import Database
from inference.service.tables import JOBS, KEYS

ATTEMPTS = 3  # of a job: kills and services that do not answer count alike
RETRY_SECONDS = 5.0  # before the second attempt; before the third, twice as many
LEASE_SECONDS = 10.0  # renewed every third of it


class State(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"  # by a guardrail, the cut-out or quality control; the outcome has code and sentence
    FAILED = "failed"  # a fault that is not the request's; the outcome has the sentence


ENDED = (State.DONE, State.REFUSED, State.FAILED)


@dataclass(frozen=True)
class Job:
    """A row.

    Attributes:
        order: what is to be made, as plain data. outcome: what came of it; empty until it ended.
        stage: that it is in; "" before the first. attempts: leases so far.
        token: of its lease. picked: rank of the picture that the client would publish.
    """

    client: str
    request_id: str
    body_sha256: str
    order: Mapping[str, Any]
    state: State
    stage: str
    attempts: int
    token: str
    created_at: float
    ended_at: float | None
    outcome: Mapping[str, Any]
    picked: int | None

    @property
    def ended(self) -> bool:
        return self.state in ENDED


class OtherBody(SelvedgeError):
    """The id names a request that asked for something else."""


class TooManyJobs(SelvedgeError):
    """The client has as many jobs as it may have at once."""


class JobLost(Exception):
    """The lease ran out and another worker has the job; whoever raises this stops working on it."""


class Jobs:
    """The jobs of one database.

    Args:
        lease: seconds that a job is held without a renewal.
        clock: seconds since the epoch.
    """

    def __init__(
        self, database: Database, lease: float = LEASE_SECONDS, clock: Callable[[], float] = time.time
    ) -> None:
        self._database, self.lease, self._clock = database, lease, clock

    def accept(
        self, client: str, request_id: str, body_sha256: str, order: Mapping[str, Any], most: int
    ) -> tuple[Job, bool]:
        """The job of an id, and whether it is new; the same body again gives the job that there is.

        Args:
            most: unfinished jobs that the client may have.

        Raises:
            OtherBody: the id was used with another body. TooManyJobs. ServiceUnavailable.
        """
        row = {
            "client": client,
            "request_id": request_id,
            "body_sha256": body_sha256,
            "order": json.dumps(order, sort_keys=True),
            "state": State.QUEUED,
            "stage": "",
            "attempts": 0,
            "token": "",
            "due_at": 0.0,
            "created_at": self._clock(),
            "outcome": "{}",
        }
        earlier = self.find(client, request_id)
        if earlier is None:
            try:
                with self._database.answering(), self._database.engine.begin() as connection:
                    # Requests of one client wait for each other here, or each would count without the others.
                    connection.execute(select(KEYS.c.name).where(KEYS.c.name == client).with_for_update())
                    connection.execute(JOBS.insert().values(row))
                    _refuse_more(connection, client, most, own=1)
            except IntegrityError:  # the same id, a moment earlier
                earlier = self.find(client, request_id)
        if earlier is None:
            made = self.find(client, request_id)
            assert made is not None  # only what ended long ago is ever removed
            return made, True
        if earlier.body_sha256 != body_sha256:
            raise OtherBody(f"request id {request_id} was used with another body; choose another id.")
        return earlier, False

    def require_room(self, client: str, most: int) -> None:
        """Before something is stored for a job. Raises: TooManyJobs: the client could not have one more."""
        with self._database.answering(), self._database.engine.connect() as connection:
            _refuse_more(connection, client, most, own=0)

    def find(self, client: str, request_id: str) -> Job | None:
        """The job of an id; None where this client has none."""
        with self._database.answering(), self._database.engine.connect() as connection:
            row = connection.execute(select(JOBS).where(_named(client, request_id))).first()
        return None if row is None else _job(row)

    def claim(self) -> Job | None:
        """The oldest job that is due, leased to whoever asks; None where there is none.

        One that had all its attempts is ended here as failed.
        """
        while True:
            now = self._clock()
            due = JOBS.c.state.in_((State.QUEUED, State.RUNNING)) & (JOBS.c.due_at <= now)
            oldest = select(JOBS).where(due).order_by(JOBS.c.created_at, JOBS.c.client, JOBS.c.request_id).limit(1)
            with self._database.answering(), self._database.engine.connect() as connection:
                row = connection.execute(oldest).first()
            if row is None:
                return None
            mine = _held(_job(row)) & (JOBS.c.due_at == row.due_at)
            if row.attempts >= ATTEMPTS:
                self._write(mine, _end(State.FAILED, _worn_out(row), now))
                continue
            values = {
                "state": State.RUNNING,
                "token": secrets.token_hex(16),
                "attempts": row.attempts + 1,
                "due_at": now + self.lease,
            }
            if self._write(mine, values):
                return self.find(row.client, row.request_id)

    def renew(self, job: Job, stage: str | None = None) -> None:
        """Hold a job for another lease, in this stage where one is given. Raises: JobLost."""
        values = {"due_at": self._clock() + self.lease} | ({} if stage is None else {"stage": stage})
        self._write_held(job, values)

    def end(self, job: Job, state: State, outcome: Mapping[str, Any]) -> None:
        """Raises: JobLost: somebody else has it, and ends it."""
        self._write_held(job, _end(state, outcome, self._clock()))

    def put_back(self, job: Job, sentence: str) -> None:
        """Let a job be tried again after a while; after its last attempt it fails with this sentence. Raises: JobLost.

        Args:
            sentence: which service did not answer.
        """
        if job.attempts >= ATTEMPTS:
            self.end(job, State.FAILED, {"code": "unavailable", "sentence": sentence})
            return
        wait = RETRY_SECONDS * 2 ** (job.attempts - 1)
        values = {"state": State.QUEUED, "token": "", "due_at": self._clock() + wait}
        self._write_held(job, {**values, "outcome": json.dumps({"sentence": sentence})})

    def pick(self, job: Job, rank: int) -> None:
        """Note which of a finished job's pictures the client would publish; the last word counts."""
        self._write(_named(job.client, job.request_id) & (JOBS.c.state == State.DONE), {"picked": rank})

    def in_use(self, before: float) -> tuple[set[str], set[str]]:
        """Names of orders, and hashes of photographs, of the jobs that `forget` leaves."""
        query = select(JOBS.c.order).where(~_ended_before(before))
        with self._database.answering(), self._database.engine.connect() as connection:
            orders = [json.loads(row.order) for row in connection.execute(query)]
        return {order["name"] for order in orders}, {order["photo_sha256"] for order in orders}

    def old(self, before: float) -> int:
        """How many jobs ended before a moment, in seconds since the epoch."""
        with self._database.answering(), self._database.engine.connect() as connection:
            return connection.scalar(select(func.count()).select_from(JOBS).where(_ended_before(before))) or 0

    def forget(self, before: float) -> int:
        """Remove the jobs that ended before a moment; their ids are new ones from then on."""
        with self._database.answering(), self._database.engine.begin() as connection:
            return connection.execute(JOBS.delete().where(_ended_before(before))).rowcount

    def counts(self) -> dict[str, int]:
        """Jobs by state, every state named."""
        query = select(JOBS.c.state, func.count()).group_by(JOBS.c.state)
        with self._database.answering(), self._database.engine.connect() as connection:
            counted = {row[0]: row[1] for row in connection.execute(query)}
        return {str(state): counted.get(state, 0) for state in State}

    def _write_held(self, job: Job, values: Mapping[str, Any]) -> None:
        if not self._write(_held(job), values):
            raise JobLost

    def _write(self, which: ColumnElement[bool], values: Mapping[str, Any]) -> bool:
        with self._database.answering(), self._database.engine.begin() as connection:
            return connection.execute(JOBS.update().where(which).values(values)).rowcount == 1


def _refuse_more(connection: Connection, client: str, most: int, own: int) -> None:
    """own: of the client's rows, those that are just being written."""
    unfinished = (JOBS.c.client == client) & JOBS.c.state.not_in(ENDED)
    count = (connection.scalar(select(func.count()).where(unfinished)) or 0) - own
    if count >= most:
        raise TooManyJobs(f"{client} has {count} unfinished requests; wait until one of them is done.")


def _ended_before(moment: float) -> ColumnElement[bool]:
    return JOBS.c.state.in_(ENDED) & (JOBS.c.ended_at < moment)


def _named(client: str, request_id: str) -> ColumnElement[bool]:
    return (JOBS.c.client == client) & (JOBS.c.request_id == request_id)


def _held(job: Job) -> ColumnElement[bool]:
    return _named(job.client, job.request_id) & (JOBS.c.state == job.state) & (JOBS.c.token == job.token)


def _end(state: State, outcome: Mapping[str, Any], now: float) -> dict[str, Any]:
    return {"state": state, "token": "", "stage": "", "ended_at": now, "outcome": json.dumps(outcome, sort_keys=True)}


def _worn_out(row: Row[Any]) -> dict[str, str]:
    sentence = json.loads(row.outcome).get("sentence")
    return {
        "code": "gave_up",
        "sentence": sentence
        or f"{ATTEMPTS} workers were lost over this request; ask again under another id, and tell "
        "whoever runs the service.",
    }


def _job(row: Row[Any]) -> Job:
    return Job(
        row.client,
        row.request_id,
        row.body_sha256,
        json.loads(row.order),
        State(row.state),
        row.stage,
        row.attempts,
        row.token,
        row.created_at,
        row.ended_at,
        json.loads(row.outcome),
        row.picked,
    )
