"""What a registered ReStGAN does in MLflow: words in, a picture after each of them out.

Belongs here: turning a request into queries, and refusing what is none. Not here: drawing (training/restgan/
sampling.py), which words can be read (training/restgan/words.py), registering (orchestration/registry/registry.py).

MLflow logs this file as the model's code ("models from code") and runs the installed `selvedge` package beside it, as
for mlflow_entry.py. It imports what drawing needs and nothing else: a server of pictures has no use for transformers.

A row holds `query`, the shopper's words, and perhaps `seed` (0 where it is missing; MLflow wants it in every row or in
none). The answer row holds `words`, the places of the query as the model read them ("navy blue" is one), `pictures`, a
PNG in base64 after each of them, and `unknown`: those of the words that the model was never taught and draws as any
unknown word, and behind them what the query denies or counts ("not skinny", "under $50"), which is not drawn. A row's
pictures depend on its words and its seed only, not on the rows beside it.
"""

import base64
import math
import numbers
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

from catalog.errors import SelvedgeError
from catalog.files import png_bytes
from inference.refused_request import RefusedRequest
from training.restgan.sampling import RestganModel, load_artefact
from training.restgan.words import UNKNOWN, EncodedQuery

ARTEFACT_KEY = "model"  # as orchestration/registry/registry.py logs it
MOST_ROWS = 64
MOST_PICTURES = 640  # of all rows together: ten words a row, seconds on two cores
SEEDS = range(-(2**63), 2**63)  # a long


class WordPictures(PythonModel):
    """The pyfunc model around an artefact folder."""

    def load_context(self, context: Any) -> None:
        """Raises SelvedgeError: the artefact is not whole."""
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model: RestganModel = load_artefact(Path(context.artifacts[ARTEFACT_KEY]), device=device)

    def predict(  # MLflow calls it with all three
        self,
        context: Any,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Draw what every row says, one picture after each word.

        Args:
            model_input: columns query (str) and perhaps seed (int).

        Returns:
            Columns words (list of str), pictures (list of str, as many), unknown (list of str), a row each.

        Raises:
            RefusedRequest: too much, or a query that cannot be read. All rows are read before the first is drawn.
        """
        rows = requested(model_input)
        read = [read_query(self._model, query, index) for index, (query, _) in enumerate(rows)]
        if (count := sum(query.length for query in read)) > MOST_PICTURES:
            raise RefusedRequest(f"the request asks for {count} pictures; ask for at most {MOST_PICTURES} at once.")
        drawn = [self._model.draw([query], seed)[0] for query, seed in rows]
        return pd.DataFrame(
            {
                "words": [list(query.texts) for query in read],
                "pictures": [[encode_picture(picture) for picture in pictures] for pictures in drawn],
                "unknown": [unknown_words(query) for query in read],
            }
        )


def requested(model_input: pd.DataFrame) -> list[tuple[str, int]]:
    """(query, seed) of every row.

    Raises:
        RefusedRequest: the column query is missing, there are too many rows, or a row holds something else.
    """
    if not isinstance(model_input, pd.DataFrame) or "query" not in model_input.columns:
        raise RefusedRequest("a request needs the column query (text), and may have the column seed (whole number).")
    if len(model_input) > MOST_ROWS:
        raise RefusedRequest(f"the request holds {len(model_input)} queries; send at most {MOST_ROWS} at once.")
    seeds = model_input["seed"] if "seed" in model_input.columns else [None] * len(model_input)
    rows = []
    for index, (query, seed) in enumerate(zip(model_input["query"], seeds, strict=True)):
        if not isinstance(query, str):
            raise RefusedRequest(f"row {index}: query is no text; send the words that a shopper types.")
        rows.append((query, _whole_number(seed, index)))
    return rows


def read_query(model: RestganModel, query: str, index: int) -> EncodedQuery:
    """Raises RefusedRequest: empty, markup, another script, too long, or no word that the model knows."""
    try:
        return model.encode(query)
    except SelvedgeError as error:
        raise RefusedRequest(f"row {index}: {error}") from error


def unknown_words(read: EncodedQuery) -> list[str]:
    """The words that the model was not taught, in the order in which they were said, and then what was left out."""
    strangers = [text for text, word in zip(read.texts, read.words, strict=True) if word == UNKNOWN]
    return [*strangers, *(part.phrase for part in read.left_out), *read.said_again]


def encode_picture(picture: np.ndarray) -> str:
    """Base64 text of a PNG file of a (side, side, 3) uint8 picture."""
    return base64.b64encode(png_bytes(picture, optimize=True)).decode()


def _whole_number(seed: Any, index: int) -> int:
    """A row's seed; a column in which some are missing is one of floats."""
    if seed is None or (isinstance(seed, float) and math.isnan(seed)):
        return 0
    whole = isinstance(seed, numbers.Integral) or (isinstance(seed, float) and seed.is_integer())
    if isinstance(seed, bool) or not whole or int(seed) not in SEEDS:
        raise RefusedRequest(f"row {index}: seed must be a whole number of 64 bits, not {str(seed)[:40]}.")
    return int(seed)


set_model(WordPictures())
