"""What a round compares: both versions' results on the test products, and where they are kept as they were shown.

Belongs here: what is compared and where it is kept, asking two models that read pictures in the same way. Not here:
which models (contest.py), asking models that draw (strips.py), pairs and sides (labeling/review/).

Both sides come from one code path with the same settings: the same pictures, the same questions, and, for
descriptions, the same writer with the same seed, so that only the model's answers differ. The tables stay with the
round: a resumed upload and the report read them, and need neither models nor MLflow.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from catalog.errors import SelvedgeError

if TYPE_CHECKING:
    import pandas as pd
    from upath import UPath

    from catalog.schema import AttributeSchema
    from labeling.review.pairs.kinds import PairKind
    from labeling.review.rounds.tasks import Material

CARDS, DESCRIPTIONS, STRIPS = KINDS = ("attribute-cards", "descriptions", "picture-strips")
_PHOTOGRAPHED = ("products", "images", "splits", "qa_pairs")
TABLES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    CARDS: ("attributes", _PHOTOGRAPHED),
    DESCRIPTIONS: ("descriptions", _PHOTOGRAPHED),
    STRIPS: ("strips", ("products", "splits")),
}
"""Kind of pair -> the schema of both versions' tables, and the further tables that its pairs are made of."""
FORMAT = 1
ABOUT_FILE = "round.json"  # written last: a folder with it is whole


@dataclass(frozen=True)
class Compared:
    """Everything that the pairs of a round are made of.

    Attributes:
        kind: of pair. candidate, opponent: tables of the schema that `TABLES` names for it.
        products, images, splits, qa_pairs: of the test products; None where the kind shows no photo.
        schema: the candidate's vocabulary of attributes; None where the kind has none.
    """

    kind: str
    schema: "AttributeSchema | None"
    candidate: "pd.DataFrame"
    opponent: "pd.DataFrame"
    products: "pd.DataFrame"
    images: "pd.DataFrame | None"
    splits: "pd.DataFrame"
    qa_pairs: "pd.DataFrame | None"

    def tables(self) -> "Mapping[str, tuple[pd.DataFrame, str]]":
        """Every table with the schema it is kept in, by file name."""
        import inference.tables  # noqa: F401  declares the results
        import labeling.tables  # noqa: F401

        results, further = TABLES[self.kind]
        own = {name: (getattr(self, name), name) for name in further}
        return {"candidate": (self.candidate, results), "opponent": (self.opponent, results), **own}

    def results(self) -> dict[str, str]:
        """Hashes of both versions' tables, for the plan."""
        from catalog.tables import as_table, content_sha256

        tables = self.tables()
        return {name: content_sha256(as_table(*tables[name])) for name in ("candidate", "opponent")}

    def material(self, seed: int) -> "Material[Any]":
        """As labeling/review/ takes it."""
        from labeling.review.pairs.kinds import catalogue_labels
        from labeling.review.pairs.strips import word_cards
        from labeling.review.rounds.registration import gather_material

        labels = {} if self.qa_pairs is None else catalogue_labels(self.qa_pairs)
        picture = word_cards(self.candidate) if self.images is None else _photos(self.images)
        return gather_material(pair_kind(self.kind, self.schema), self.candidate, self.opponent, labels, picture, seed)


def _photos(images: "pd.DataFrame") -> Callable[[int], bytes]:
    """A reader of products' picture files."""
    from upath import UPath

    places = dict(zip(images["product_id"].astype(int), images["uri"], strict=True))

    def picture(product_id: int) -> bytes:
        if product_id not in places:
            raise SelvedgeError(f"product {product_id} has no picture; standardise this drop's images again.")
        try:
            return bytes(UPath(places[product_id]).read_bytes())
        except OSError as error:
            raise SelvedgeError(
                f"the picture of product {product_id} is gone ({places[product_id]}); bring it back."
            ) from error

    return picture


def pair_kind(name: str, schema: "AttributeSchema | None") -> "PairKind[Any]":
    """The kind of this name. Raises: SelvedgeError: there is none, or not without a vocabulary."""
    from labeling.review.pairs.kinds import AttributeCards, Descriptions
    from labeling.review.pairs.strips import PictureStrips

    if name == STRIPS:
        return PictureStrips()
    if name not in KINDS or schema is None:
        raise SelvedgeError(f"kind of pair {name!r} is unknown; it is {' or '.join(KINDS)}.")
    return AttributeCards(schema) if name == CARDS else Descriptions(schema)


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
    about = {"format": FORMAT, "kind": compared.kind, "schema": vocabulary, "plan": plan}
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


def read_compared(folder: "UPath") -> Compared:
    """What `keep` wrote, every table held to its hash.

    Raises:
        SelvedgeError: it is not there, or damaged.
    """
    from catalog.schema import AttributeSchema
    from catalog.tables import read_frame

    place = folder / ABOUT_FILE
    try:
        about = json.loads(place.read_text())
        schema = None if about["schema"] is None else AttributeSchema.from_dict(about["schema"], str(place))
        kind = KINDS[KINDS.index(about["kind"])]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SelvedgeError(f"{place} is missing or damaged; run `selvedge review open` again.") from error
    empty = Compared(kind, schema, *([None] * 6))
    return replace(empty, **{name: read_frame(folder / f"{name}.parquet") for name in empty.tables()})
