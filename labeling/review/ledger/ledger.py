"""The ledger of reviews: rounds, their side map, every pull and ballot, exclusions and verdicts.

Belongs here: writing each of them once, whole, and reading them back as plain data. Not here: what a ballot is worth
(rounds/ballots.py), promotions (promotions.py), picks (picks.py), locks and tables (database.py, tables.py).

Nothing is ever changed: see tables.py. A write that was made already is found and given back, so whoever was
killed simply asks again.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

from sqlalchemy import Connection, Engine, Row, func, select

from catalog.errors import SelvedgeError
from labeling.review.ledger.chain import append
from labeling.review.ledger.database import Database, HeadKeeper
from labeling.review.ledger.picks import PickLedger
from labeling.review.ledger.promotions import PromotionLedger
from labeling.review.ledger.pulls import ballots, pulled_ballots, replay, snapshot, store_pull
from labeling.review.ledger.records import (
    OUTCOMES,
    Ballot,
    Exclusion,
    Outcome,
    Pair,
    Pull,
    PulledAnnotation,
    Round,
    StoredPull,
    Verdict,
)
from labeling.review.ledger.tables import EXCLUSIONS, PAIRS, ROUND_EVENTS, ROUNDS, VERDICTS
from labeling.review.ledger.whole import LedgerRecord
from labeling.review.pairs.plan import RoundPlan, plan_changes

PROJECT, CLOSED, VOID = "project", "closed", "void"
# What is wrong with an annotation, if anything: (annotation, was the round closed when it was first seen).
FindFault = Callable[[PulledAnnotation, bool], str | None]


class Ledger:
    """One ledger, on SQLite or PostgreSQL: rounds here, and `promotions` and `picks`; `record` is all of it."""

    def __init__(self, engine: Engine, keeper: HeadKeeper | None = None) -> None:
        """`keeper`: keeps the chain's head outside. Raises: SelvedgeError, ServiceUnavailable: as `Database`."""
        self._database = Database(engine, keeper)
        self.promotions = PromotionLedger(self._database)
        self.picks = PickLedger(self._database)
        self.record = LedgerRecord(self._database)

    def close(self) -> None:
        """Give back its connections; the next use makes new ones."""
        self._database.engine.dispose()

    def open_round(self, plan: RoundPlan, key: bytes, pairs: Sequence[Pair], now: datetime | None = None) -> Round:
        """Register a plan with its pairs; one that is registered already is given back as it was.

        Raises:
            SelvedgeError: the round exists with another plan, or its candidate is being judged, or was, against this
                opponent.
        """
        with self._database.writing() as connection:
            registered = _find_round(connection, plan.round_id)
            if registered is not None:
                if changes := plan_changes(registered.plan, plan):
                    raise SelvedgeError(
                        f"round {plan.round_id} was opened with another plan (different: {', '.join(changes)}); "
                        "open a new round."
                    )
                return registered
            _refuse_second_round(connection, plan.family, plan.candidate, plan.opponent_version)
            row = {
                "round_id": plan.round_id,
                "family": plan.family,
                "candidate": plan.candidate,
                "plan": plan.to_json(),
                "plan_sha256": plan.sha256,
                "blinding_key": key,
                "opened_at": now or _now(),
            }
            append(connection, ROUNDS, row)
            append(connection, PAIRS, [{"round_id": plan.round_id, **pair.__dict__} for pair in pairs])
            return _round(connection, plan.round_id)

    def refuse_second_round(self, family: str, candidate: str, opponent_version: str) -> None:
        """What `open_round` would say of a further round, before there is a plan for one.

        Raises:
            SelvedgeError: the candidate is being judged, or was, against this opponent.
        """
        with self._database.reading() as connection:
            _refuse_second_round(connection, family, candidate, opponent_version)

    def round(self, round_id: str) -> Round:
        """Raises: SelvedgeError: there is no such round, or its stored plan was tampered with."""
        with self._database.reading() as connection:
            return _round(connection, round_id)

    def find_round(self, round_id: str) -> Round | None:
        with self._database.reading() as connection:
            return _find_round(connection, round_id)

    def rounds(self, family: str | None = None) -> list[Round]:
        """Every round, in the order of opening."""
        wanted = select(ROUNDS.c.round_id).order_by(ROUNDS.c.opened_at, ROUNDS.c.round_id)
        if family is not None:
            wanted = wanted.where(ROUNDS.c.family == family)
        with self._database.reading() as connection:
            return [_round(connection, round_id) for round_id in connection.scalars(wanted)]

    def pairs(self, round_id: str) -> dict[str, Pair]:
        """The side map by task key, in the order of upload."""
        with self._database.reading() as connection:
            _round(connection, round_id)
            rows = connection.execute(select(PAIRS).where(PAIRS.c.round_id == round_id).order_by(PAIRS.c.task_key))
            return {row.task_key: Pair(**_without(row, "round_id")) for row in rows}

    def hold_to_plan(self, plan: RoundPlan, now: datetime | None = None) -> Round:
        """The round of this plan; a round whose registered plan is another one becomes void, for good.

        Raises:
            SelvedgeError: there is no such round, or it is void, now or before.
        """
        with self._database.writing() as connection:
            registered = _round(connection, plan.round_id)
            changes = plan_changes(registered.plan, plan)
            if registered.void is None and changes:
                reason = f"its plan was changed after it was opened ({', '.join(changes)})"
                _add_event(connection, plan.round_id, VOID, reason, now)
                registered = _round(connection, plan.round_id)
        if registered.void is not None:
            raise SelvedgeError(f"round {plan.round_id} is void: {registered.void}; open a new round.")
        return registered

    def void_round(self, round_id: str, reason: str, now: datetime | None = None) -> Round:
        """Say that a round decides nothing; the first reason stays."""
        with self._database.writing() as connection:
            if _round(connection, round_id).void is None:
                _add_event(connection, round_id, VOID, reason, now)
            return _round(connection, round_id)

    def bind_project(self, round_id: str, project_id: int, now: datetime | None = None) -> Round:
        """Note the Label Studio project of a round; a server that lost its project gets a new one."""
        with self._database.writing() as connection:
            if _round(connection, round_id).project_id != project_id:
                _add_event(connection, round_id, PROJECT, str(project_id), now)
            return _round(connection, round_id)

    def close_round(self, round_id: str, now: datetime | None = None) -> Round:
        """From here on no ballot counts that was not pulled before; closing twice is closing once."""
        with self._database.writing() as connection:
            if _round(connection, round_id).closed_at is None:
                _add_event(connection, round_id, CLOSED, "", now)
            return _round(connection, round_id)

    def store_pull(
        self,
        round_id: str,
        annotations: Iterable[PulledAnnotation],
        find_fault: FindFault,
        is_simulated: Callable[[str], bool],
        now: datetime | None = None,
    ) -> StoredPull:
        """Keep a snapshot and every revision in it that was not seen before, in one transaction.

        Raises:
            SelvedgeError: there is no such round, or one annotation is in the snapshot twice.
        """
        with self._database.writing() as connection:
            closed = _round(connection, round_id).closed_at is not None
            fault = partial(_fault, find_fault, closed)
            return store_pull(connection, round_id, annotations, fault, is_simulated, now or _now())

    def pulls(self, round_id: str) -> list[Pull]:
        with self._database.reading() as connection:
            return replay(connection, round_id)[0]

    def snapshot(self, round_id: str, number: int) -> list[PulledAnnotation]:
        """Everything that a pull held, proved by its hash.

        Raises:
            SelvedgeError: there is no such pull, or what is stored is not what was pulled.
        """
        with self._database.reading() as connection:
            return snapshot(connection, round_id, number)

    def ballots(self, round_id: str) -> list[Ballot]:
        """Every revision of every annotation, void ones too, in the order of annotation and revision."""
        with self._database.reading() as connection:
            return ballots(connection, round_id)

    def pulled_ballots(self, round_id: str) -> list[tuple[Ballot, PulledAnnotation]]:
        """The ballots that the stored pulls give, each with what was pulled, in the order of `ballots`.

        Raises:
            SelvedgeError: a stored pull is not what was pulled.
        """
        with self._database.reading() as connection:
            return pulled_ballots(connection, round_id)

    def exclude(self, round_id: str, exclusions: Iterable[Exclusion], now: datetime | None = None) -> None:
        """Note which raters do not count. Must come before the verdict: after it, sides are known.

        Raises:
            SelvedgeError: there is no such round, or it was judged without one of these exclusions.
        """
        with self._database.writing() as connection:
            _round(connection, round_id)
            noted = {(exclusion.rater, exclusion.rule) for exclusion in _exclusions(connection, round_id)}
            new = [exclusion for exclusion in exclusions if (exclusion.rater, exclusion.rule) not in noted]
            if new and _verdict(connection, round_id) is not None:
                raise SelvedgeError(f"round {round_id} is judged; {new[0].rater} cannot be excluded from it any more.")
            at = now or _now()
            for exclusion in new:
                append(connection, EXCLUSIONS, {"round_id": round_id, **exclusion.__dict__, "at": at})

    def exclusions(self, round_id: str) -> list[Exclusion]:
        with self._database.reading() as connection:
            return _exclusions(connection, round_id)

    def record_verdict(
        self,
        round_id: str,
        outcome: Outcome,
        evidence: Mapping[str, Any],
        ballots_sha256: str,
        simulated: bool,
        now: datetime | None = None,
    ) -> Verdict:
        """Judge a closed round, once; the same verdict again is the verdict there is.

        Args:
            evidence: plain data. ballots_sha256: from `ballots.ballots_sha256`, of the ballots it was computed from.

        Raises:
            SelvedgeError: the round is open, void, or judged with another outcome or other evidence.
        """
        if outcome not in OUTCOMES:
            raise SelvedgeError(f"{outcome!r} is no verdict; a verdict is one of {', '.join(OUTCOMES)}.")
        text = json.dumps(evidence, sort_keys=True, allow_nan=False)
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        verdict = Verdict(round_id, outcome, text, sha256, ballots_sha256, simulated, now or _now())
        with self._database.writing() as connection:
            registered, recorded = _round(connection, round_id), _verdict(connection, round_id)
            if registered.state != "closed":
                raise SelvedgeError(f"round {round_id} is {registered.state}; only a closed round gets a verdict.")
            if recorded is not None:
                if (recorded.outcome, recorded.evidence_sha256) != (outcome, sha256):
                    raise SelvedgeError(
                        f"round {round_id} was judged {recorded.outcome} on {recorded.at:%d %B %Y}; it stands."
                    )
                return recorded
            append(connection, VERDICTS, verdict.__dict__)
        return verdict

    def verdict(self, round_id: str) -> Verdict | None:
        """The verdict of a round; None before it."""
        with self._database.reading() as connection:
            return _verdict(connection, round_id)


def _fault(find_fault: FindFault, closed: bool, annotation: PulledAnnotation) -> str | None:
    return find_fault(annotation, closed)


def _refuse_second_round(connection: Connection, family: str, candidate: str, opponent_version: str) -> None:
    same = (ROUNDS.c.family == family) & (ROUNDS.c.candidate == candidate)
    for round_id in connection.scalars(select(ROUNDS.c.round_id).where(same)).all():
        earlier = _round(connection, round_id)
        if earlier.void is not None:
            continue
        verdict = _verdict(connection, round_id)
        if verdict is None:
            raise SelvedgeError(f"{candidate} is being judged in round {round_id}; close that one first.")
        if earlier.plan.opponent_version == opponent_version and verdict.outcome != "inconclusive":
            raise SelvedgeError(
                f"{candidate} was judged {verdict.outcome} against {opponent_version} in round {round_id}; "
                "asking again until it wins is not allowed."
            )


def _find_round(connection: Connection, round_id: str) -> Round | None:
    row = connection.execute(select(ROUNDS).where(ROUNDS.c.round_id == round_id)).one_or_none()
    if row is None:
        return None
    mine = select(ROUND_EVENTS).where(ROUND_EVENTS.c.round_id == round_id).order_by(ROUND_EVENTS.c.number)
    events = {event.event: event for event in connection.execute(mine)}  # the last of each
    plan = RoundPlan.from_json(row.plan)
    if plan.sha256 != row.plan_sha256:
        raise SelvedgeError(
            f"the stored plan of round {round_id} is not the one that was registered; restore the ledger."
        )
    return Round(
        plan,
        bytes(row.blinding_key),
        row.opened_at,
        int(events[PROJECT].detail) if PROJECT in events else None,
        events[CLOSED].at if CLOSED in events else None,
        events[VOID].detail if VOID in events else None,
    )


def _round(connection: Connection, round_id: str) -> Round:
    registered = _find_round(connection, round_id)
    if registered is None:
        raise SelvedgeError(f"there is no round {round_id!r}; `selvedge review status` lists them.")
    return registered


def _add_event(connection: Connection, round_id: str, event: str, detail: str, now: datetime | None) -> None:
    last = select(func.max(ROUND_EVENTS.c.number)).where(ROUND_EVENTS.c.round_id == round_id)
    number = (connection.scalar(last) or 0) + 1
    row = {"round_id": round_id, "number": number, "event": event, "detail": detail, "at": now or _now()}
    append(connection, ROUND_EVENTS, row)


def _exclusions(connection: Connection, round_id: str) -> list[Exclusion]:
    wanted = select(EXCLUSIONS).where(EXCLUSIONS.c.round_id == round_id)
    rows = connection.execute(wanted.order_by(EXCLUSIONS.c.rater, EXCLUSIONS.c.rule))
    return [Exclusion(row.rater, row.rule, row.detail) for row in rows]


def _verdict(connection: Connection, round_id: str) -> Verdict | None:
    row = connection.execute(select(VERDICTS).where(VERDICTS.c.round_id == round_id)).one_or_none()
    return None if row is None else Verdict(**_without(row))


def _without(row: Row[Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in cast(Mapping[str, Any], row._mapping).items() if name not in names}  # noqa: SLF001 (SQLAlchemy's public name)


def _now() -> datetime:
    return datetime.now(UTC)
