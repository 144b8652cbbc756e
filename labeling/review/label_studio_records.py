"""What Label Studio tells, as plain records on the server's own clock.

Belongs here: the records and how they are read from its JSON. Not here: asking for them (label_studio.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any


@dataclass(frozen=True)
class Ping:
    """A server that answered: its version, who the token belongs to, how far its clock is ahead of ours."""

    version: str
    user_id: int
    email: str
    server_ahead: timedelta


@dataclass(frozen=True)
class Annotation:
    """One annotation as the server has it, on the server's clock.

    task_key is None for a task that carries none of our keys. choices and reasons are as chosen on the page; a result
    that was not made on the page may have any number of them.
    """

    annotation_id: int
    task_id: int
    task_key: str | None
    rater_id: int
    rater: str  # e-mail; empty when the account was deleted
    updated_by: int | None
    choices: tuple[str, ...]
    reasons: tuple[str, ...]
    lead_time_seconds: float | None
    created_at: datetime
    updated_at: datetime
    cancelled: bool

    @property
    def edited_by_another(self) -> bool:
        return self.updated_by is not None and self.updated_by != self.rater_id


@dataclass(frozen=True)
class Counter:
    """What a sensor looks at: it differs whenever there is something new to pull."""

    tasks: int
    finished_tasks: int
    annotations: int
    last_change: datetime | None

    def cursor(self) -> str:
        return (
            f"{self.finished_tasks}/{self.tasks}/{self.annotations}/{self.last_change and self.last_change.isoformat()}"
        )


@dataclass(frozen=True)
class Task:
    """A task as an annotator gets it."""

    task_id: int
    key: str | None
    data: Mapping[str, Any]


def key_of(task: Mapping[str, Any]) -> str | None:
    """The key a task carries; None for one that is not ours."""
    key = (task.get("meta") or {}).get("key") or (task.get("data") or {}).get("key")
    return key if isinstance(key, str) else None


def annotation_of(one: Mapping[str, Any], task: Mapping[str, Any], raters: Mapping[int, str]) -> Annotation:
    """An annotation of a page of tasks. raters: e-mails by user id."""
    chosen: dict[str, list[str]] = {}
    for region in one["result"] if isinstance(one["result"], list) else []:
        if isinstance(region, Mapping) and isinstance(region.get("value"), Mapping):
            values = region["value"].get("choices")
            if isinstance(values, list):
                chosen.setdefault(str(region.get("from_name")), []).extend(str(value) for value in values)
    rater = int(one["completed_by"] or 0)
    return Annotation(
        int(one["id"]),
        int(task["id"]),
        key_of(task),
        rater,
        raters.get(rater, ""),
        None if one["updated_by"] is None else int(one["updated_by"]),
        tuple(chosen.get("choice", ())),
        tuple(chosen.get("reasons", ())),
        None if one["lead_time"] is None else float(one["lead_time"]),
        datetime.fromisoformat(one["created_at"]),
        datetime.fromisoformat(one["updated_at"]),
        bool(one["was_cancelled"]),
    )
