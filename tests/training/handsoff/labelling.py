"""A small generator with pictures that it can draw and labels that follow from them, for the tests of what labels."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.training.handsoff.small import SIZE, settings
from training.attribute_network import AttributeClassifier
from training.handsoff.frozen import FrozenGenerator, round_weights
from training.handsoff.generator import Generator
from training.handsoff.inversion import Inversions, invert_pictures
from training.handsoff.label_settings import InversionSettings, LabellerSettings
from training.handsoff.labels import LabelKinds, LabelledPictures
from training.handsoff.perception import AttributeLayers
from training.handsoff.pictures import Pictures, pictures_of
from training.reporting import Silent

KINDS = LabelKinds(("background", "light", "red"), ("brightest",), {"lightness": (0.0, 1.0)})


def generator(digest: str = "small", **changes: Any) -> FrozenGenerator:
    """An untrained generator whose pictures differ: colours everywhere, a function of w."""
    torch.manual_seed(3)
    small_settings = settings(**changes)
    network = Generator(small_settings)
    for level in network.synthesis.levels.values():
        level.colours.convolution.weight.data.normal_(0, 0.5)
        level.colours.bias.data.zero_()  # no white backdrop
    round_weights(network)
    return FrozenGenerator(small_settings, network, digest)


def perception() -> AttributeLayers:
    torch.manual_seed(0)
    return AttributeLayers(AttributeClassifier({"kind": ("a", "b")}, {}, SIZE, 8, "separable"))


def pictures(frozen: FrozenGenerator, n: int, seed: int = 5) -> Pictures:
    return pictures_of(frozen.sample(n, seed).pictures, [f"p{row}" for row in range(n)])


def labelled(frozen: FrozenGenerator, n: int = 8, seed: int = 5) -> LabelledPictures:
    """Light, red and dark pixels; the brightest pixel; lightness."""
    drawn = pictures(frozen, n, seed)
    light = drawn.array.mean(axis=3) / 255
    red = drawn.array[..., 0].astype(int) - drawn.array[..., 1]
    masks = np.where(red > np.quantile(red, 0.7), 2, (light > np.median(light)).astype(int)).astype(np.uint8)
    points = [[(i % SIZE) + 0.5, (i // SIZE) + 0.5, 1] for i in light.reshape(n, -1).argmax(axis=1)]
    return LabelledPictures(
        drawn, KINDS, masks, np.asarray(points, np.float32)[:, None], light[:, None].astype(np.float32)
    )


def inversion_settings(**changes: Any) -> InversionSettings:
    small = {
        "width": 8, "batch_size": 8, "encoder_steps": 8, "refine_steps": 2, "steps": 12, "references": 5,
        "pictures_at_once": 3, "device": "cpu", "tolerance": 3.0,
    }  # fmt: skip
    return InversionSettings(**(small | changes))


def labeller_settings(**changes: Any) -> LabellerSettings:
    small = {"members": 3, "hidden": 32, "pixels": 96, "epochs": 12, "batch_pixels": 64, "rate": 5e-3, "device": "cpu"}
    return LabellerSettings(**(small | changes))


def exact(frozen: FrozenGenerator, n: int = 8, seed: int = 5, **changes: Any) -> Inversions:
    """The codes that the pictures really came from."""
    codes = frozen.spread(frozen.sample(n, seed).w).contiguous()
    values: dict[str, Any] = {
        "names": pictures(frozen, n, seed).names, "codes": codes, "errors": np.zeros(n, np.float32),
        "reference": np.ones(3, np.float32), "limit": 1.0, "perception": "", "generator": frozen.digest,
        "data": pictures(frozen, n, seed).digest, "digest": "exact",
    }  # fmt: skip
    return Inversions(**(values | changes))


def invert(frozen: FrozenGenerator, out: Path, drawn: Pictures, **changes: Any) -> Inversions:
    return invert_pictures(frozen, drawn, inversion_settings(**changes), out, Silent(), perception())
