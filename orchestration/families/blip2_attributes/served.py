"""A version of blip2-attributes behind `mlflow models serve`.

Belongs here: its entry file, the description of a request, its packages. Not here: answering
(inference/mlflow_entry.py).
"""

from pathlib import Path
from typing import TYPE_CHECKING

import inference
from orchestration.registry.interface import Served

if TYPE_CHECKING:
    from mlflow.models import ModelSignature


def signature() -> "ModelSignature":
    """One row is one picture and what is asked of it: image (base64), questions → answers, confidences, abstained."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import Array

    return ModelSignature(
        inputs=Schema([ColSpec(DataType.string, "image"), ColSpec(Array(DataType.string), "questions")]),
        outputs=Schema(
            [
                ColSpec(Array(DataType.string), "answers"),
                ColSpec(Array(DataType.double), "confidences"),
                ColSpec(Array(DataType.boolean), "abstained"),
            ],
        ),
    )


SERVED = Served(
    Path(str(inference.__file__)).with_name("mlflow_entry.py"),
    signature,
    (
        *("mlflow", "torch", "transformers", "peft", "safetensors", "tokenizers"),
        *("numpy", "scipy", "pandas", "pyarrow", "pillow", "scikit-image", "pyyaml", "universal-pathlib"),
    ),
)
