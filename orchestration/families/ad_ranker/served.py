"""A version of ad-ranker behind `mlflow models serve`.

Belongs here: its entry file, the description of a request, its packages. Not here: answering
(inference/ad_ranker_entry.py).
"""

from pathlib import Path
from typing import TYPE_CHECKING

import inference
from orchestration.registry.interface import Served

if TYPE_CHECKING:
    from mlflow.models import ModelSignature


def signature() -> "ModelSignature":
    """One row is one picture: request and its measurements by name → score and place among its request's pictures."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    from training.ad_ranker.features import FEATURES

    measurements = [ColSpec(DataType.double, name) for name in FEATURES]
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.string, "request"), *measurements]),
        outputs=Schema([ColSpec(DataType.double, "score"), ColSpec(DataType.long, "place")]),
    )


SERVED = Served(
    Path(str(inference.__file__)).with_name("ad_ranker_entry.py"),
    signature,
    ("mlflow", "numpy", "scipy", "pandas", "pyarrow", "pillow", "pyyaml", "universal-pathlib"),
)
