"""Keys: who may ask the service, and for what. A key is printed once; the table holds its hash.

Belongs here: making, finding, removing. Not here: reading it off a request (access.py), printing it (orchestration/).

A key is 32 random bytes, so a plain sha256 is enough: there is nothing to guess.
"""

import hashlib
import re
import secrets
import time
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select

from catalog.errors import SelvedgeError
from inference.databases import Database
from inference.service.tables import KEYS

ADS, ATTRIBUTES, DESCRIPTIONS, HOME = "ads", "attributes", "descriptions", "home"
OF_REQUESTS = (ADS, ATTRIBUTES, DESCRIPTIONS)
RIGHTS = (*OF_REQUESTS, HOME)
NAME = re.compile(r"[a-z](-?[a-z0-9]){0,23}")  # no two dashes in a row: they part a client from its requests
LONGEST_NAME = 24
PREFIX = "selvedge_"  # by which scanners of repositories find a key that was committed


@dataclass(frozen=True)
class Client:
    """Whom a key was given to. created_at: seconds since the epoch."""

    name: str
    rights: tuple[str, ...]
    created_at: float


class Keys:
    """The keys of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, rights: Collection[str] = OF_REQUESTS) -> str:
        """A new key, which nobody can read again.

        Raises:
            SelvedgeError: no name or no right, or the name has a key.
        """
        with self._database.answering(), self._database.engine.begin() as connection:
            if connection.execute(select(KEYS.c.name).where(KEYS.c.name == name)).first() is not None:
                raise SelvedgeError(f"{name} has a key; remove it first, or choose another name.")
        key = PREFIX + secrets.token_urlsafe(32)
        self.keep(name, key, rights)
        return key

    def keep(self, name: str, key: str, rights: Collection[str]) -> None:
        """Let a key in that was made elsewhere, in place of the name's earlier one. Raises: SelvedgeError, as `add`."""
        _require(name, rights)
        row = {"key_sha256": _hash(key), "rights": ",".join(right for right in RIGHTS if right in rights)}
        with self._database.answering(), self._database.engine.begin() as connection:
            if not connection.execute(KEYS.update().where(KEYS.c.name == name).values(row)).rowcount:
                connection.execute(KEYS.insert().values(name=name, created_at=time.time(), **row))

    def client_of(self, key: str) -> Client | None:
        """Whose key it is; None where it is nobody's."""
        with self._database.answering(), self._database.engine.connect() as connection:
            row = connection.execute(select(KEYS).where(KEYS.c.key_sha256 == _hash(key))).first()
        return None if row is None else Client(row.name, tuple(row.rights.split(",")), row.created_at)

    def all(self) -> list[Client]:
        """By name."""
        with self._database.answering(), self._database.engine.connect() as connection:
            rows = connection.execute(select(KEYS).order_by(KEYS.c.name)).all()
        return [Client(row.name, tuple(row.rights.split(",")), row.created_at) for row in rows]

    def remove(self, name: str) -> None:
        """Raises SelvedgeError: nobody of this name has a key."""
        with self._database.answering(), self._database.engine.begin() as connection:
            if not connection.execute(KEYS.delete().where(KEYS.c.name == name)).rowcount:
                raise SelvedgeError(f"{name:.40} has no key; see `selvedge serve key list`.")


def _require(name: str, rights: Collection[str]) -> None:
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise SelvedgeError(
            f"a key's name is a small letter, then up to {LONGEST_NAME - 1} small letters, digits and single dashes, "
            f"not {name!r:.40}."
        )
    unknown = next((right for right in rights if right not in RIGHTS), None)
    if unknown is not None or not rights:
        raise SelvedgeError(f"{unknown!r:.40} is no right of a key; choose from {', '.join(RIGHTS)}.")


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()
