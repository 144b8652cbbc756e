"""A version of restgan behind `mlflow models serve`.

Belongs here: its entry file, the description of a request, its packages. Not here: drawing
(inference/restgan_entry.py).
"""

from pathlib import Path
from typing import TYPE_CHECKING

import inference
from orchestration.registry.interface import Served

if TYPE_CHECKING:
    from mlflow.models import ModelSignature


def signature() -> "ModelSignature":
    """One row is what a shopper types: query, perhaps seed → words as read, pictures (base64 PNG), unknown words."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import Array

    texts = Array(DataType.string)
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.string, "query"), ColSpec(DataType.long, "seed", required=False)]),
        outputs=Schema([ColSpec(texts, name) for name in ("words", "pictures", "unknown")]),
    )


SERVED = Served(
    Path(str(inference.__file__)).with_name("restgan_entry.py"),
    signature,
    ("mlflow", "torch", "safetensors", "numpy", "scipy", "pandas", "pillow", "scikit-image", "pyyaml"),
)
