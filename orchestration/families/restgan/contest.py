"""Picture strips compared: two ReStGANs draw the same words, one picture after each of them.

Belongs here: the two models of a round, which words both are asked, and what they draw as tables of a round. Not here:
which versions they are (orchestration/families/registered.py), what a strip looks like to people
(labeling/review/pairs/strips.py), the folder of a round (labeling/review/rounds/compared.py).

Both sides come from one code path: the words of held-out products, the same noise for the same words, and each word
put into a model's own vocabulary as its scores do. Where there is no champion, the weights that the candidate began
with stand in: they lie inside its artefact.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.errors import SelvedgeError
from labeling.review.rounds.contest import Contest
from labeling.review.rounds.progress import Progress, silent
from orchestration.families.contract import Contenders
from orchestration.families.restgan.candidate import frozen_bottoms

if TYPE_CHECKING:
    import pandas as pd

    from labeling.review.pairs.kinds import PairKind
    from labeling.review.rounds.compared import Compared
    from training.restgan.dataset import Bottoms
    from training.restgan.samples import Queries
    from training.restgan.sampling import RestganModel

MOST = 300  # strips a version draws; a round shows about half of them
LONGEST = 6  # words of each: two rows of three pictures, and seldom a word that no picture can show
AT_ONCE = 32  # queries between two words of progress
SEED = 0  # of the draw of words and of the noise
DROP = "bottoms"  # the data set is made of all drops together


@dataclass(frozen=True)
class StripContest(Contest):
    """Two models that draw, and the products whose words they are asked.

    Attributes:
        bottoms: part test of the candidate's data set.
        load_candidate, load_opponent: called once each.
    """

    bottoms: "Bottoms"
    load_candidate: "Callable[[], RestganModel]"
    load_opponent: "Callable[[], RestganModel]"

    def compare(self, kind: "PairKind[Any]", progress: Progress = silent) -> "Compared":
        """Raises: SelvedgeError: part test is empty, or a model is missing or damaged."""
        from labeling.review.rounds.compared import Compared
        from training.restgan.samples import Queries, choose_queries

        if len(self.bottoms) == 0:
            raise SelvedgeError("part test of the bottoms is empty; read more products before opening a round.")
        whole = choose_queries(self.bottoms, MOST, LONGEST, SEED).growing
        asked = _asked(whole).drop_duplicates("query")  # what was cut off may be all that two of them differed in
        bottoms = whole.take(asked.index.to_numpy())
        queries, strips = Queries(bottoms, bottoms, {}), {}
        for version, load in (("candidate", self.load_candidate), ("opponent", self.load_opponent)):
            drawn, total = [], len(asked)
            for frames in _drawn(load(), queries):
                drawn.append(frames)
                progress(len(drawn), total, f"asking the {version}")
            strips[version] = asked.assign(frames=drawn)
        products, splits = _products(bottoms)
        return Compared(kind, None, strips["candidate"], strips["opponent"], products, splits, {})


def contest(contenders: Contenders) -> StripContest:
    """A candidate against the champion, or against the weights it began with, on part test of its own data set.

    Raises:
        SelvedgeError: a folder holds no model, the base is missing, or the catalogue is not the candidate's own.
    """
    return contest_on(contenders, _bottoms(contenders).of("test"))


def contest_on(contenders: Contenders, bottoms: "Bottoms") -> StripContest:
    """The same on bottoms that are at hand."""
    from training.restgan.candidate import BASE_FOLDER
    from training.restgan.sampling import load_artefact, read_about

    def load(folder: Path) -> "Callable[[], RestganModel]":
        return lambda: load_artefact(folder)

    versions = (contenders.family, contenders.candidate, contenders.version)
    folder = contenders.folder
    if contenders.champion is not None:
        version, champion = contenders.champion
        return StripContest(*versions, "champion", version, bottoms, load(folder), load(champion))
    base = folder / BASE_FOLDER
    try:
        began = f"base-{read_about(base)['digest'][:12]}"
    except SelvedgeError as error:
        raise SelvedgeError(
            f"{contenders.family} has no champion, and the weights that {contenders.candidate} began with cannot stand "
            f"in: {error}"
        ) from error
    return StripContest(*versions, "base", began, bottoms, load(folder), load(base))


def _bottoms(contenders: Contenders) -> "Bottoms":
    from training.catalogue import read_catalogue_folder
    from training.restgan.candidate import bottoms_of

    if isinstance(contenders.data, Path):
        return bottoms_of(contenders.folder, read_catalogue_folder(contenders.data)).bottoms
    return frozen_bottoms(contenders.data.dataset["bottoms"])


def _asked(bottoms: "Bottoms") -> "pd.DataFrame":
    """Table `strips` without its frames: the words of every product, and the colour that they ask."""
    import numpy as np
    import pandas as pd

    from training.restgan.words import join_colours

    asked_rows = bottoms.rows[["product_id", "query", "colour"]].itertuples(index=False)
    rows: list[dict[str, Any]] = []
    for row, (product_id, query, colour) in enumerate(asked_rows):
        length = int(bottoms.lengths[row])
        # A colour of two words counts as one, also one that is too rare for the table.
        words = join_colours(str(query).split(), (*bottoms.colours.words, str(colour)))[:length]
        named = np.flatnonzero(bottoms.colour_words[row, :length] >= 0)
        at = int(named[0]) if len(named) else -1
        lab = bottoms.colours.centres[bottoms.colour_words[row, at]] if at >= 0 else (None, None, None)
        asked = dict(zip(("asked_l", "asked_a", "asked_b"), lab, strict=True))
        rows.append({"product_id": product_id, "query": " ".join(words), "words": words, "colour_at": at, **asked})
    return pd.DataFrame(rows)


def _drawn(model: "RestganModel", queries: "Queries") -> Iterator[bytes]:
    """Every growing query's pictures, packed, in their order."""
    from labeling.review.pairs.strips import pack_frames
    from training.restgan.generator import Noise
    from training.restgan.samples import put_to_model

    own = put_to_model(queries, model).growing
    noise = model.noise(len(own), SEED)
    for start in range(0, len(own), AT_ONCE):
        batch = slice(start, start + AT_ONCE)
        drawn = model.draw_encoded(
            own.words[batch], own.colour_words[batch], own.lengths[batch], Noise(noise.z[batch], noise.epsilon[batch])
        )
        yield from map(pack_frames, drawn)


def _products(bottoms: "Bottoms") -> "tuple[pd.DataFrame, pd.DataFrame]":
    """Tables `products` and `splits` of the products asked: what strata, slices and the report go by."""
    import pandas as pd

    from catalog.splits import TEST
    from catalog.tables import schema_of

    rows = bottoms.rows
    facts = pd.DataFrame(
        {
            "drop": DROP,
            "product_id": rows["product_id"],
            "gender": rows["gender"],
            "article_type": rows["type"],
            "base_colour": rows["colour"],
            "product_display_name": rows["query"],
        }
    )
    products = facts.assign(**{name: None for name in schema_of("products").names if name not in facts})
    splits = facts[["product_id", "drop"]].assign(group_id=rows["group_id"], split=TEST)
    return products[schema_of("products").names], splits
