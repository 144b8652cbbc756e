"""What Label Studio answers, as plain records on the server's own clock.

Belongs here: the records and how they are read from its JSON. Not here: asking for them (client.py).
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

    task_key is None for a task that carries none of our keys. choices and reasons are those of the page; a result
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
    comment: str = ""  # what was written in words; several lines where the page was sent several

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


@dataclass(frozen=True)
class Drawing:
    """What one annotator submitted on a picture. result: its regions as the server has them, unchecked."""

    annotation_id: int
    rater_id: int
    updated_at: datetime
    cancelled: bool
    result: Any


@dataclass(frozen=True)
class DrawnTask:
    """A task whose picture people draw on, with everything that was submitted."""

    key: str | None
    data: Mapping[str, Any]
    drawings: tuple[Drawing, ...]


def key_of(meta: Any, data: Any) -> str | None:
    """The key a task carries, from its `meta` or its `data`; None for a task that is not ours."""
    for fields in (meta, data):
        key = fields.get("key") if isinstance(fields, Mapping) else None
        if key:
            return key if isinstance(key, str) else None
    return None


def annotation_of(annotation: Mapping[str, Any], task_id: int, task_key: str | None, rater: str) -> Annotation:
    """An annotation of a page of tasks. rater: the author's e-mail."""
    choices: dict[str, list[str]] = {}
    comment: list[str] = []
    for region in annotation["result"] if isinstance(annotation["result"], list) else []:
        if isinstance(region, Mapping) and isinstance(region.get("value"), Mapping):
            values = region["value"].get("choices")
            if isinstance(values, list):
                choices.setdefault(str(region.get("from_name")), []).extend(str(value) for value in values)
            words = region["value"].get("text")
            if region.get("from_name") == "comment":
                comment += [str(line) for line in words] if isinstance(words, list) else [str(words)] if words else []
    return Annotation(
        int(annotation["id"]),
        task_id,
        task_key,
        author_of(annotation),
        rater,
        None if annotation["updated_by"] is None else int(annotation["updated_by"]),
        tuple(choices.get("choice", ())),
        tuple(choices.get("reasons", ())),
        None if annotation["lead_time"] is None else float(annotation["lead_time"]),
        datetime.fromisoformat(annotation["created_at"]),
        datetime.fromisoformat(annotation["updated_at"]),
        bool(annotation["was_cancelled"]),
        "\n".join(comment),
    )


def drawing_of(annotation: Mapping[str, Any]) -> Drawing:
    """An annotation of a page of tasks, for its regions."""
    return Drawing(
        int(annotation["id"]),
        author_of(annotation),
        datetime.fromisoformat(annotation["updated_at"]),
        bool(annotation["was_cancelled"]),
        annotation["result"],
    )


def author_of(annotation: Mapping[str, Any]) -> int:
    """The user id of who made an annotation, as the client that sent it says; 0 when the account was deleted."""
    return int(annotation["completed_by"] or 0)
