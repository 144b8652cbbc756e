"""People: whether somebody wears the garment of a photograph, and what the policy makes of that.

Belongs here: the detector that ships, put to one photograph. Not here: its drawing, training and card
(training/person_detector/, models/person-detector/).
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from inference.ad_images.refusal import AdRefused, RefusalCode
from inference.ad_images.request import ListedProduct, OnModel

WORN = {"Apparel": True, "Footwear": False, "Accessories": False, "Personal Care": False, "Home": False}
"""Master categories that say it; free gifts, sporting goods and a category of yours may be anything."""
FRAME = 1  # pixels at a photograph's frame that a whole person leaves free
FOLDER = Path(__file__).resolve().parents[3] / "models" / "person-detector"


@dataclass(frozen=True)
class PersonDetector:
    """The network with its threshold (a logit) and the digest of its weights."""

    network: Any
    threshold: float
    digest: str

    def score(self, rgb: np.ndarray) -> float:
        """Logit over the threshold; 0 and more is a person.

        Args:
            rgb: (height, width, 3) uint8 sRGB.
        """
        import torch

        from training.person_detector.network import as_tensor, squared

        with torch.inference_mode():
            return float(self.network(as_tensor(squared(rgb)[None]))[0]) - self.threshold


@lru_cache(maxsize=2)
def load_detector(folder: Path = FOLDER) -> PersonDetector:
    """The detector in a folder.

    Raises:
        AdRefused: backend_missing, for files that are missing, broken or of another kind.
    """
    import yaml

    from catalog.errors import SelvedgeError
    from training.person_detector.network import FORMAT, PersonNetwork
    from training.weights import digest_of, read_tensors

    try:
        about = yaml.safe_load((folder / "recipe.yaml").read_text())
        tensors = read_tensors([folder / "weights.safetensors"])
        if about["format"] != FORMAT or about["digest"] != digest_of(tensors):
            raise ValueError("its weights are not those of its recipe")
        network = PersonNetwork()
        network.load_state_dict(tensors)
        return PersonDetector(network.eval(), float(about["threshold"]), str(about["digest"]))
    except (OSError, SelvedgeError, yaml.YAMLError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise AdRefused(
            RefusalCode.BACKEND_MISSING,
            f"the person detector in {folder} cannot be used ({error}); copy the folder from the distribution again.",
        ) from error


def may_be_worn(product: ListedProduct | None) -> bool | None:
    """Whether a person may be in a product's photograph because they wear it; None where nobody knows.

    The detector has learnt of apparel alone, and is not asked about goods of which the catalogue says what they are.
    """
    if product is None or product.master_category not in WORN:
        return None
    return WORN[product.master_category]


def require_policy(rgb: np.ndarray, on_model: OnModel, article_type: str | None = None) -> bool:
    """Whether somebody is in the photograph, if the policy keeps people.

    Raises:
        AdRefused: on_model, if it does not.
    """
    person = load_detector().score(rgb) >= 0
    if person and on_model is OnModel.REFUSE:
        raise AdRefused(
            RefusalCode.ON_MODEL,
            f"somebody wears the {article_type or 'product'} in this photograph; give one without, or keep "
            f"the person (--on-model {OnModel.KEEP}).",
        )
    return person


def require_whole(alpha: np.ndarray, article_type: str | None = None) -> None:
    """Of a person who is kept: all of it, from head to feet, or it would stand in its ad without one or the other.

    Args:
        alpha: (height, width) of the whole photograph; above 0 where the person is.

    Raises:
        AdRefused: on_model, where the photograph's frame cuts the person.
    """
    seen = alpha > 0
    sides = {"top": seen[:FRAME], "bottom": seen[-FRAME:], "left": seen[:, :FRAME], "right": seen[:, -FRAME:]}
    cut = [name for name, strip in sides.items() if strip.any()]
    if cut:
        raise AdRefused(
            RefusalCode.ON_MODEL,
            f"somebody wears the {article_type or 'product'} in this photograph, whose frame cuts them off ("
            f"{', '.join(cut)}); give one that shows them from head to feet, or one without a person.",
        )
