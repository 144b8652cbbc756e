"""What a round compares: both versions' results on the test products, and where they are kept as they were shown.

Belongs here: the tables of a round and the folder they are kept in. Not here: which models made them (a family's
contest), which tables a kind of pair needs (labeling/review/pairs/), pairs and sides (tasks.py).

The tables stay with the round: a resumed upload and the report read them, and need neither models nor MLflow.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from catalog.errors import SelvedgeError

if TYPE_CHECKING:
    import pandas as pd
    from upath import UPath

    from catalog.schema import AttributeSchema
    from labeling.review.pairs.kinds import PairKind
    from labeling.review.rounds.material import Material

FORMAT = 1
ABOUT_FILE = "round.json"  # written last: a folder with it is whole


@dataclass(frozen=True)
class Compared:
    """Everything that the pairs of a round are made of.

    Attributes:
        kind: of pair. schema: the candidate's vocabulary of attributes; None where the kind has none.
        candidate, opponent: tables of the schema `kind.results`.
        products, splits: of the test products. further: the tables that `kind.further` names.
    """

    kind: "PairKind[Any]"
    schema: "AttributeSchema | None"
    candidate: "pd.DataFrame"
    opponent: "pd.DataFrame"
    products: "pd.DataFrame"
    splits: "pd.DataFrame"
    further: "Mapping[str, pd.DataFrame]"

    def tables(self) -> "Mapping[str, tuple[pd.DataFrame, str]]":
        """Every table with the schema it is kept in, by file name."""
        results = {name: (table, self.kind.results) for name, table in self._results().items()}
        own = {"products": self.products, "splits": self.splits, **self.further}
        return results | {name: (table, name) for name, table in own.items()}

    def results(self) -> dict[str, str]:
        """Hashes of both versions' tables, for the plan."""
        from catalog.tables import as_table, content_sha256

        return {name: content_sha256(as_table(table, self.kind.results)) for name, table in self._results().items()}

    def material(self, seed: int) -> "Material[Any]":
        """As pairs are made of it.

        Raises:
            SelvedgeError: a table is not of the kind, or a version has no result at all.
        """
        from labeling.review.rounds.material import gather_material

        product = self.kind.products(self.candidate, self.further, self.schema)
        return gather_material(self.kind, self.candidate, self.opponent, product, seed)

    def _results(self) -> "dict[str, pd.DataFrame]":
        return {"candidate": self.candidate, "opponent": self.opponent}


def keep(compared: Compared, folder: "UPath", plan: str) -> None:
    """Write the folder of a round; what another ledger's round of this name left there goes.

    Args:
        plan: `RoundPlan.to_json()`: a second copy, which later steps hold against the ledger's.
    """
    from catalog.tables import publish_bytes, write_table

    folder.mkdir(parents=True, exist_ok=True)
    (folder / ABOUT_FILE).unlink(missing_ok=True)  # from here to the last line the folder is not whole
    for name, (table, schema) in compared.tables().items():
        write_table(table, folder / f"{name}.parquet", schema)
    vocabulary = None if compared.schema is None else compared.schema.to_dict()
    about = {"format": FORMAT, "kind": compared.kind.name, "schema": vocabulary, "plan": plan}
    publish_bytes(json.dumps(about, indent=1).encode(), folder / ABOUT_FILE)


def is_whole(folder: "UPath") -> bool:
    """Whether everything of a round was written."""
    return bool((folder / ABOUT_FILE).exists())


def kept_plan(folder: "UPath") -> str | None:
    """The second copy of the plan; None where the folder is not whole."""
    try:
        return str(json.loads((folder / ABOUT_FILE).read_text())["plan"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SelvedgeError(f"{folder / ABOUT_FILE} cannot be read ({error}); restore it from a backup.") from error


def read_compared(folder: "UPath", kinds: "Iterable[PairKind[Any]]") -> Compared:
    """What `keep` wrote.

    Args:
        kinds: the family's own.

    Raises:
        SelvedgeError: it is not there, or damaged, or of a kind that is not among them.
    """
    from catalog.schema import AttributeSchema
    from catalog.standing import with_files_here
    from catalog.tables import frame_of, read_table

    path = folder / ABOUT_FILE
    by_name = {kind.name: kind for kind in kinds}
    try:
        about = json.loads(path.read_text())
        schema = None if about["schema"] is None else AttributeSchema.from_dict(about["schema"], str(path))
        kind = by_name.get(about["kind"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SelvedgeError(f"{path} is missing or damaged; run `selvedge review open` again.") from error
    if kind is None:
        raise SelvedgeError(
            f"{path} is of pairs of the kind {about['kind']!r}, which its family is not compared in any more "
            f"({', '.join(by_name)})."
        )
    contracts = {"candidate": kind.results, "opponent": kind.results} | {
        name: name for name in ("products", "splits", *kind.further)
    }
    tables = {name: read_table(folder / f"{name}.parquet", contract) for name, contract in contracts.items()}
    # Rounds are kept beside the pictures, in a home that may have been moved. Results are not touched: the plan has
    # their hashes.
    tables |= {name: with_files_here(tables[name], folder.parent.parent) for name in kind.further}
    frames = {name: frame_of(table) for name, table in tables.items()}
    return Compared(
        kind, schema, frames["candidate"], frames["opponent"], frames["products"], frames["splits"],
        {name: frames[name] for name in kind.further},
    )  # fmt: skip
