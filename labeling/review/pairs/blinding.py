"""Blinding: which result of a pair is shown on the left, and the names under which a round goes out.

Belongs here: the keyed hashes. Not here: keeping the key and the map (labeling/review/ledger/), rendering (kinds.py).

A keyed hash, not a random draw, so that an upload that was cut short shows the same sides when it is repeated; the key
never leaves our database, so that nobody who can read Label Studio can read the sides. Each side is hashed by itself
and not balanced by construction: in balanced blocks the last sides follow from the first ones, which an annotator who
recognises a few would notice. The price is small: with 200 pairs the left side holds the candidate in 86 to 114 of
them (95 %). The verdict does not correct for side bias; a round's report estimates it, and tests it on identical pairs.
"""

import hashlib
import hmac
import secrets
from typing import Literal

Version = Literal["candidate", "champion"]
Side = Literal["left", "right"]
KEY_BYTES = 32


def new_key() -> bytes:
    """A round's key, from the operating system's own randomness."""
    return secrets.token_bytes(KEY_BYTES)


def task_key(key: bytes, round_id: str, item: int, slot: str) -> str:
    """The one name a pair has outside our database: 32 hex digits. Tasks go out in the order of these."""
    return _keyed(key, "task", round_id, item, slot)[:16].hex()


def left_version(key: bytes, round_id: str, item: int, slot: str) -> Version:
    """Whose result is on the left; a repeat shows the plain pair of its item with sides swapped."""
    if slot == "repeat":
        return other(left_version(key, round_id, item, "plain"))
    return "candidate" if _keyed(key, "side", round_id, item, slot)[0] & 1 else "champion"


def sound_side(key: bytes, round_id: str, item: int) -> Side:
    """Where a gold pair shows the result that was left as it is."""
    return "left" if _keyed(key, "sound", round_id, item, "gold")[0] & 1 else "right"


def public_title(key: bytes, round_id: str) -> str:
    """What a project is called in Label Studio: a round's own id may name its family or candidate."""
    return f"Review {_keyed(key, 'title', round_id, 0, '')[:4].hex()}"


def other(version: Version) -> Version:
    return "champion" if version == "candidate" else "candidate"


def _keyed(key: bytes, use: str, round_id: str, item: int, slot: str) -> bytes:
    # A NUL between the parts: a round id, number or slot holds none, so no two calls hash the same text.
    return hmac.new(key, "\0".join((use, round_id, str(item), slot)).encode(), hashlib.sha256).digest()
