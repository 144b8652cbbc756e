"""Blinding of picks: in which order a request's pictures stand on the page, and the names a task goes out under.

Belongs here: the keyed hashes, as for pairs (labeling/review/pairs/blinding.py). Not here: keeping the key
(labeling/review/ledger/).

The order of the page says nothing of the order of the ranker: each picture's place is drawn by a hash of a key that
never leaves our database.
"""

import hashlib
import hmac
from collections.abc import Sequence


def task_key(key: bytes, round_id: str, request: str) -> str:
    """The one name a request has outside our database: 32 hex digits. Tasks go out in the order of these."""
    return _keyed(key, "task", round_id, request)[:16].hex()


def page_order(key: bytes, round_id: str, request: str, pictures: Sequence[str]) -> list[str]:
    """Pictures, by the sha256 of their files, as they stand on the page."""
    return sorted(pictures, key=lambda sha256: _keyed(key, "place", round_id, request, sha256))


def public_title(key: bytes, round_id: str) -> str:
    """What the project is called in Label Studio: a round's own id names its drop."""
    return f"Picks {_keyed(key, 'title', round_id)[:4].hex()}"


def _keyed(key: bytes, *parts: str) -> bytes:
    return hmac.new(key, "\0".join(parts).encode(), hashlib.sha256).digest()
