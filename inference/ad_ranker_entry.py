"""What a registered ad ranker does in MLflow: measurements of pictures in, their order out.

Belongs here: turning a request into rows of features, and refusing what is none. Not here: the ranker
(training/ad_ranker/), measuring a picture (inference/ad_images/ranking.py), registering
(orchestration/registry/registry.py).

MLflow logs this file as the model's code ("models from code") and runs the installed `selvedge` package beside it. A
row is one picture: `request`, which pictures are compared with each other, and every measurement by its name, as the
recipe beside a picture holds them under `features`. The answer row holds `score`, and `place` among its request's
pictures, 1 for the one to be shown first.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

from inference.refused_request import RefusedRequest
from training.ad_ranker.candidate import RANKER_FILE
from training.ad_ranker.features import FEATURES
from training.ad_ranker.ranker import AdRanker

ARTEFACT_KEY = "model"  # as orchestration/registry/registry.py logs it
MOST_ROWS = 10_000


class AdOrder(PythonModel):
    """The pyfunc model around an artefact folder."""

    def load_context(self, context: Any) -> None:
        """Raises SelvedgeError: the artefact is not whole."""
        self._ranker = AdRanker.load(Path(context.artifacts[ARTEFACT_KEY]) / RANKER_FILE)

    def predict(  # MLflow calls it with all three
        self,
        context: Any,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Columns score (float) and place (int), a row each. Raises RefusedRequest: as `measured`."""
        rows = measured(model_input)
        scores = pd.Series(self._ranker.scores(rows), index=model_input.index)
        places = scores.groupby(model_input["request"]).rank(ascending=False, method="first").astype(np.int64)
        return pd.DataFrame({"score": scores, "place": places})


def measured(model_input: pd.DataFrame) -> np.ndarray:
    """(rows, features) of a request.

    Raises:
        RefusedRequest: a column is missing, a value is no finite number, or there are too many rows.
    """
    if not isinstance(model_input, pd.DataFrame):
        raise RefusedRequest("a request is a table with the column request and every measurement by its name.")
    missing = [name for name in ("request", *FEATURES) if name not in model_input.columns]
    if missing:
        raise RefusedRequest(f"a request needs the column {missing[0]}; a picture's recipe holds its measurements.")
    if len(model_input) > MOST_ROWS:
        raise RefusedRequest(f"the request holds {len(model_input)} pictures; send at most {MOST_ROWS} at once.")
    numbers = model_input[list(FEATURES)].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    if not np.isfinite(numbers).all():
        row, column = np.argwhere(~np.isfinite(numbers))[0]
        raise RefusedRequest(f"row {row}: {FEATURES[column]} is no number; send what the picture's recipe holds.")
    return numbers


set_model(AdOrder())
