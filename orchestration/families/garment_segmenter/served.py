"""A version of garment-segmenter behind `mlflow models serve`.

Belongs here: its entry file, the description of a request, its packages. Not here: answering
(inference/garment_segmenter_entry.py).
"""

from pathlib import Path
from typing import TYPE_CHECKING

import inference
from orchestration.registry.interface import Served

if TYPE_CHECKING:
    from mlflow.models import ModelSignature


def signature() -> "ModelSignature":
    """One row is one picture: image (base64) → mask (base64 PNG, one class a pixel), the names of the classes."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import Array

    return ModelSignature(
        inputs=Schema([ColSpec(DataType.string, "image")]),
        outputs=Schema([ColSpec(DataType.string, "mask"), ColSpec(Array(DataType.string), "classes")]),
    )


SERVED = Served(
    Path(str(inference.__file__)).with_name("garment_segmenter_entry.py"),
    signature,
    ("mlflow", "torch", "safetensors", "numpy", "scipy", "pandas", "pyarrow", "pillow", "pyyaml", "universal-pathlib"),
)
