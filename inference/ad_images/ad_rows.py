"""Rows: what is known of each request without opening its files, and the protocol of where rows are kept.

Belongs here: the type, its JSON form, what may replace what, rows in an SQL database. Not here: DynamoDB
(dynamo_rows.py), the files (store.py), the table of a drop (inference/tables.py).

A row is written once its files are complete, so whoever finds a row finds them. A request that was refused leaves a row
and nothing else. A stored row is never replaced; a refusal is, by whatever comes later: its cause may be gone.
"""

import json
from dataclasses import asdict, dataclass, replace
from typing import Protocol

from sqlalchemy import Column, MetaData, String, Table, Text, select
from sqlalchemy.exc import IntegrityError

from catalog.errors import SelvedgeError
from inference.databases import Database

STORED, REFUSED = "stored", "refused"


@dataclass(frozen=True)
class StoredPicture:
    """A picture and its recipe.

    Attributes:
        rank: 1 is first. score: of the ranker.
        uri, recipe_uri: files, in the database from the store's root on. sha256, recipe_sha256: of their bytes.
    """

    rank: int
    uri: str
    sha256: str
    recipe_uri: str
    recipe_sha256: str
    score: float


@dataclass(frozen=True)
class AdRow:
    """What came of one request, made in one way.

    Attributes:
        recipe_key: of all that decides the result (`store.recipe_key`); with request_id it names the row.
        product_id: "" for a photograph of nobody's.
        code, sentence: of a refusal.
        created_at: ISO 8601, UTC; the only field that tells two runs of the same apart.
    """

    request_id: str
    recipe_key: str
    status: str
    product_id: str
    theme: str
    created_at: str
    code: str = ""
    sentence: str = ""
    pictures: tuple[StoredPicture, ...] = ()

    def says_the_same(self, other: "AdRow") -> bool:
        return replace(self, created_at="") == replace(other, created_at="")

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str, where: str) -> "AdRow":
        """Raises SelvedgeError: it is none."""
        try:
            fields = json.loads(text)
            return cls(**{**fields, "pictures": tuple(StoredPicture(**each) for each in fields["pictures"])})
        except (ValueError, TypeError, KeyError) as error:
            raise SelvedgeError(f"a row of ads in {where} is damaged ({error}); restore it from a backup.") from error


class AdMetadata(Protocol):
    """Where rows are kept."""

    def put(self, row: AdRow) -> AdRow:
        """Keep a row; returns the one that is kept now: an equal earlier one stays as it was.

        Raises:
            SelvedgeError: other pictures are stored under its name.
            ServiceUnavailable: the database does not answer.
        """

    def find(self, request_id: str, recipe_key: str) -> AdRow | None:
        """The row of a name."""

    def of_request(self, request_id: str) -> list[AdRow]:
        """All rows of a request, by recipe key."""


def settled(earlier: AdRow, row: AdRow, where: str) -> AdRow | None:
    """What is kept of two rows of one name; None where the new one replaces the earlier.

    Raises:
        SelvedgeError: both hold pictures, and not the same.
    """
    if earlier.status == REFUSED:
        return earlier if earlier.says_the_same(row) else None
    if row.status == REFUSED or earlier.says_the_same(row):
        return earlier
    raise SelvedgeError(
        f"{where} holds other pictures of {row.request_id} under the same recipe key; what paints them does not "
        "repeat: use another request id."
    )


_METADATA = MetaData()
ADS = Table(
    "ad_requests",
    _METADATA,
    Column("request_id", String(128), primary_key=True),
    Column("recipe_key", String(64), primary_key=True),
    Column("status", String(16), nullable=False),
    Column("product_id", String(32), nullable=False, index=True),
    Column("created_at", String(32), nullable=False),
    Column("row", Text, nullable=False),
)


class SqlAdMetadata:
    """Rows in an SQL database: SQLite or PostgreSQL.

    Args:
        url: as SQLAlchemy takes it, such as `sqlite:////home/ads.db`. The table is made where it is missing.

    Raises:
        SelvedgeError: another database, or a file that is none.
        ServiceUnavailable: it does not answer.
    """

    def __init__(self, url: str) -> None:
        self._database = Database(url, _METADATA, "ads")

    def put(self, row: AdRow) -> AdRow:
        with self._database.answering():
            try:
                return self._put(row)
            except IntegrityError:  # another process wrote the same name in between
                return self._put(row)

    def _put(self, row: AdRow) -> AdRow:
        named = (ADS.c.request_id == row.request_id) & (ADS.c.recipe_key == row.recipe_key)
        values = {
            "status": row.status,
            "product_id": row.product_id,
            "created_at": row.created_at,
            "row": row.to_json(),
        }
        with self._database.engine.begin() as connection:
            text = connection.execute(select(ADS.c.row).where(named)).scalar()
            if text is None:
                names = {"request_id": row.request_id, "recipe_key": row.recipe_key}
                connection.execute(ADS.insert().values(**names, **values))
                return row
            kept = settled(AdRow.from_json(text, self._database.where), row, self._database.where)
            if kept is not None:
                return kept
            # Only over what was read: a picture that was stored meanwhile stays.
            updated = connection.execute(ADS.update().where(named & (ADS.c.row == text)).values(**values))
            if updated.rowcount == 1:
                return row
        return self._put(row)

    def find(self, request_id: str, recipe_key: str) -> AdRow | None:
        named = (ADS.c.request_id == request_id) & (ADS.c.recipe_key == recipe_key)
        with self._database.answering(), self._database.engine.connect() as connection:
            text = connection.execute(select(ADS.c.row).where(named)).scalar()
        return None if text is None else AdRow.from_json(text, self._database.where)

    def of_request(self, request_id: str) -> list[AdRow]:
        query = select(ADS.c.row).where(ADS.c.request_id == request_id).order_by(ADS.c.recipe_key)
        with self._database.answering(), self._database.engine.connect() as connection:
            texts = connection.execute(query).scalars().all()
        return [AdRow.from_json(text, self._database.where) for text in texts]
