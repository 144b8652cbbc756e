"""What a registered garment segmenter does in MLflow: pictures in, a mask of each out.

Belongs here: turning a request into pictures, and refusing what is none. Not here: segmenting (training/segmenter/),
registering (orchestration/registry/registry.py).

MLflow logs this file as the model's code ("models from code") and runs the installed `selvedge` package beside it. A
row holds `image` (base64 of a picture file). The answer row holds `mask`, base64 of a PNG of the picture's standard
copy, one class a pixel, and `classes`, their names.
"""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

from catalog.files import png_bytes
from inference.refused_request import RefusedRequest
from inference.sent_pictures import decode_picture
from training.segmenter.segmenter import load_segmenter

ARTEFACT_KEY = "model"  # as orchestration/registry/registry.py logs it
MOST_ROWS = 64


class PictureMasks(PythonModel):
    """The pyfunc model around an artefact folder."""

    def load_context(self, context: Any) -> None:
        """Raises SelvedgeError: the artefact is not whole."""
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self._segmenter = load_segmenter(Path(context.artifacts[ARTEFACT_KEY]), device=device)

    def predict(  # MLflow calls it with all three
        self,
        context: Any,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Columns mask (str) and classes (list of str), a row each.

        Raises:
            RefusedRequest: the column image is missing, too many rows, or a row that holds no picture. All are read
                before the first is segmented.
        """
        if not isinstance(model_input, pd.DataFrame) or "image" not in model_input.columns:
            raise RefusedRequest("a request needs the column image (base64 text).")
        if len(model_input) > MOST_ROWS:
            raise RefusedRequest(f"the request holds {len(model_input)} pictures; send at most {MOST_ROWS} at once.")
        pictures = [decode_picture(image, index) for index, image in enumerate(model_input["image"])]
        masks = [self._segmenter.segment(np.asarray(picture.convert("RGB"))) for picture in pictures]
        return pd.DataFrame(
            {
                "mask": [base64.b64encode(png_bytes(mask, optimize=True)).decode() for mask in masks],
                "classes": [list(self._segmenter.classes)] * len(masks),
            }
        )


set_model(PictureMasks())
