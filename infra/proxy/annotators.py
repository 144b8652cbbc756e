"""What an annotator reaches of Label Studio: the label stream of a round and their own ballots, nothing else.

Belongs here: which addresses are open, whose ballots an answer may hold, in whose name a ballot may be sent. Not here:
who is the home's owner (admission.py), pages (pages.py).

The community edition has no roles: whoever has an account may read all ballots, change them, send one in another
person's name (`completed_by`), invite, export and delete. Everything that the label stream does not need is closed; the
list was made by watching Label Studio 1.23.2. What is new in another version is closed until it is put here.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Way(Enum):
    """What is to be done with a request of an annotator's."""

    CLOSED = "closed"
    OPEN = "open"
    STREAM = "stream"  # the page in which votes are cast
    ROUNDS = "rounds"  # our own list of rounds stands in for it
    UNSORTED = "unsorted"  # of what comes back only what is theirs, and no question about the rest in it
    FILTERED = "filtered"  # of what comes back only what is theirs
    BALLOT = "ballot"  # in nobody else's name
    OWN = "own"  # only if the thing at this address is theirs
    OWN_BALLOT = "own ballot"  # both


@dataclass(frozen=True)
class Person:
    """Whose session it is."""

    id: int
    email: str


RULES: tuple[tuple[str, str, Way], ...] = (
    (r"GET|HEAD", r"/(?:static|react-app)/.*", Way.OPEN),
    (r"GET|HEAD", r"/(?:favicon\.ico|health|heidi-tips|sw\.js|sw-fallback\.js|robots\.txt)", Way.OPEN),
    (r"GET|POST", r"/user/login", Way.OPEN),
    (r"GET|POST", r"/logout", Way.OPEN),
    (r"GET", r"/", Way.ROUNDS),
    (r"GET", r"/projects", Way.ROUNDS),
    (r"GET", r"/projects/\d+/data", Way.STREAM),
    (r"GET", r"/api/version", Way.OPEN),
    (r"GET", r"/api/current-user/(?:whoami|token)", Way.OPEN),
    (r"GET|PATCH", r"/api/current-user/hotkeys", Way.OPEN),
    (r"GET", r"/api/users", Way.FILTERED),
    (r"GET", r"/api/projects/\d+", Way.OPEN),
    (r"GET", r"/api/projects/\d+/next", Way.FILTERED),
    (r"GET", r"/api/projects/\d+/label-stream-history", Way.OPEN),
    (r"GET", r"/api/(?:ml|label_links)", Way.OPEN),
    (r"GET", r"/api/dm/(?:columns|project)", Way.OPEN),
    (r"GET", r"/api/dm/(?:views|views/\d+)", Way.OPEN),
    (r"POST", r"/api/dm/views", Way.UNSORTED),
    (r"GET", r"/api/tasks", Way.UNSORTED),
    (r"GET", r"/api/tasks/\d+", Way.FILTERED),
    (r"GET", r"/api/tasks/\d+/annotations", Way.FILTERED),
    (r"GET", r"/api/tasks/\d+/drafts", Way.FILTERED),
    (r"POST", r"/api/tasks/\d+/(?:annotations|drafts)", Way.BALLOT),
    (r"POST", r"/api/tasks/\d+/annotations/\d+/drafts", Way.OWN_BALLOT),
    (r"GET", r"/api/(?:annotations|drafts)/\d+", Way.OWN),
    (r"PATCH", r"/api/(?:annotations|drafts)/\d+", Way.OWN_BALLOT),
    (r"DELETE", r"/api/drafts/\d+", Way.OWN),
)
_RULES = tuple((re.compile(methods), re.compile(path), way) for methods, path, way in RULES)
NEXT_TASK = re.compile(r"/api/dm/actions/?")
# Of a task: what the label stream shows, and what tells of others, with what stands there instead.
SHOWN = frozenset(
    {
        *("id", "data", "meta", "created_at", "updated_at", "inner_id", "project", "overlap", "is_labeled", "queue"),
        *("unique_lock_id", "predictions", "annotations", "drafts", "file_upload", "allow_skip", "draft_exists"),
    }
)
EMPTIED: Mapping[str, Any] = {
    **dict.fromkeys(("annotators", "updated_by", "comment_authors"), ()),
    **dict.fromkeys(
        ("annotations_results", "annotations_ids", "predictions_results", "predictions_model_versions"), ""
    ),
    **dict.fromkeys(("total_annotations", "cancelled_annotations", "total_predictions", "comment_count"), 0),
}
SORTING = frozenset({"filters", "ordering", "query", "semantic_search", "agreement_selected"})
IN_WHOSE_NAME = ("completed_by", "updated_by", "user", "user_id", "last_created_by")


def way_of(method: str, path: str, parameters: Mapping[str, str]) -> Way:
    """What is to be done with a request.

    Args:
        path: decoded. A slash at its end is Label Studio's own and means nothing.
    """
    if NEXT_TASK.fullmatch(path):
        return Way.UNSORTED if method == "POST" and parameters.get("id") == "next_task" else Way.CLOSED
    plain = path.rstrip("/") or "/"
    for methods, pattern, way in _RULES:
        if pattern.fullmatch(plain) and methods.fullmatch(method):
            return Way.CLOSED if way is Way.STREAM and "labeling" not in parameters else way
    return Way.CLOSED


def theirs(content: Any, person: Person) -> Any:
    """An answer of Label Studio's without what other people have done.

    Lists of ballots, drafts and users keep what is the person's; a task keeps what the label stream shows.
    """
    if isinstance(content, list):
        return [theirs(entry, person) for entry in content if not _is_anothers(entry, person)]
    if not isinstance(content, dict):
        return content
    if "data" in content and "id" in content:
        kept = {name: value for name, value in content.items() if name in SHOWN}
        kept |= {name: empty for name, empty in EMPTIED.items() if name in content}
        return {name: value if name in ("data", "meta") else theirs(value, person) for name, value in kept.items()}
    return {name: value if name == "result" else theirs(value, person) for name, value in content.items()}


def is_theirs(content: Any, person: Person) -> bool:
    """Is this one ballot or draft, and the person's?"""
    return isinstance(content, dict) and _owner(content) is not None and not _is_anothers(content, person)


def _is_anothers(content: Any, person: Person) -> bool:
    owner = _owner(content) if isinstance(content, dict) else None
    return owner is not None and owner not in (person.id, person.email)


def _owner(content: Mapping[str, Any]) -> Any:
    """The id or e-mail of whose ballot, draft or account this is; None where it is nothing of the kind."""
    if "email" in content:
        return content["email"]
    for name in ("completed_by", "user"):
        if name in content:
            owner = content[name]
            owner = owner.get("id", owner.get("email")) if isinstance(owner, dict) else owner
            return "" if owner is None else owner  # a ballot of nobody's is not theirs either
    return None


def objection(body: bytes, is_json: bool, person: Person, task: int | None) -> str:
    """Why a ballot must not be passed on; empty when it may.

    Args:
        task: what the ballot is of, by its address.
    """
    if not is_json:
        return "a ballot is sent as JSON"
    try:
        content = json.loads(body or b"{}")
    except ValueError:
        return "the ballot is not JSON"
    if not isinstance(content, dict):
        return "a ballot is one object"
    if any(content.get(name) not in (None, person.id, person.email) for name in IN_WHOSE_NAME):
        return "a ballot is sent in one's own name"
    if content.get("ground_truth"):
        return "an annotator's ballot is no ground truth"
    if content.get("task") not in (None, task):
        return "a ballot stays with its pair"
    return ""


def asks_about_others(parameters: Mapping[str, str], body: bytes, is_json: bool) -> bool:
    """Does a list or a tab choose or sort tasks? By what others have voted, it would tell their votes one by one."""
    if parameters.keys() & SORTING:
        return True
    if not body:
        return False
    try:
        content = json.loads(body) if is_json else None
    except ValueError:
        content = None
    return content is None or _sorts(content)


def _sorts(content: Any) -> bool:
    if isinstance(content, list):
        return any(_sorts(entry) for entry in content)
    if not isinstance(content, dict):
        return False
    filters = content.get("filters")
    filtering = bool(filters.get("items", True) if isinstance(filters, dict) else filters)
    sorted_by = any(content.get(name) for name in SORTING - {"filters"})
    return filtering or sorted_by or any(_sorts(entry) for entry in content.values())


def filtered(body: bytes, person: Person) -> bytes:
    """The JSON of an answer without what is other people's.

    Raises:
        ValueError: it is no JSON, hence cannot be looked through.
    """
    return json.dumps(theirs(json.loads(body), person), ensure_ascii=False).encode()
