"""The labeller: an ensemble of small networks that reads labels off a generator's features, and how sure it is.

Belongs here: the networks, labels and uncertainty of pictures, the artefact. Not here: its training
(labeller_training.py), writing labels of many pictures (generation.py).

Each member answers for one pixel at a time: a score of every class, the heat of every keypoint, the value of every map.
Members differ in their first weights and the order of their pixels; where they disagree the label is doubtful.

Source: Xu et al., HandsOff, CVPR 2023, section 3.3; uncertainty after Kuo et al. (Jensen-Shannon divergence), as in
DatasetGAN.
"""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from catalog.errors import SelvedgeError
from training.artefact_file import read_saved, save_artefact
from training.handsoff.frozen import FrozenGenerator
from training.handsoff.hypercolumns import hypercolumns, width_of
from training.handsoff.labels import LabelKinds, kinds_of
from training.weights import digest_of, read_tensors

FORMAT = 1
FAMILY = "handsoff-labeller"
WEIGHTS = "weights.safetensors"
DOUBTFUL = 0.1  # share of a picture's pixels, the most doubtful ones, whose mean is the picture's uncertainty
PIXELS_AT_ONCE = 8192  # of one picture's labelling; bounds memory: 41 MB of features of the shipped generators
SHOWN = 0.3  # heat from which on a keypoint counts as shown


class Ensemble(nn.Module):
    """Members side by side: (pixels, width) features to (members, pixels, outputs).

    One batched product a layer in place of a module a member, which at these sizes is several times as fast.
    """

    mean: Tensor
    scale: Tensor
    level_mean: Tensor
    level_scale: Tensor

    def __init__(self, members: int, width: int, hidden: int, kinds: LabelKinds) -> None:
        super().__init__()
        sizes = [width, hidden, max(8, hidden // 4), kinds.outputs]
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for before, after in itertools.pairwise(sizes):
            bound = math.sqrt(6 / before)  # He's: half of what a ReLU is given is gone behind it
            self.weights.append(nn.Parameter(torch.empty(members, before, after).uniform_(-bound, bound)))
            self.biases.append(nn.Parameter(torch.zeros(members, 1, after)))
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        # Of the maps: their outputs are standard deviations from the mean of what was learnt.
        self.register_buffer("level_mean", torch.zeros(len(kinds.maps)))
        self.register_buffer("level_scale", torch.ones(len(kinds.maps)))

    def forward(self, pixels: Tensor) -> Tensor:
        """Of (pixels, width), the same for all members, or (members, pixels, width)."""
        x = (pixels - self.mean) / self.scale
        if x.dim() == 2:
            x = x.expand(len(self.weights[0]), -1, -1)
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.baddbmm(bias, x, weight)
            if layer < len(self.weights) - 1:
                x = torch.relu(x)
        return x


@dataclass(frozen=True)
class Labels:
    """Labels of n pictures.

    Attributes:
        masks: (n, S, S) uint8. points: (n, keypoints, 3) float32 x, y and heat. maps: (n, maps, S, S) float32.
        uncertainty: (n,) float32, mean Jensen-Shannon divergence of the members in nats over the tenth of the pixels
            where it is largest. doubts: (n, S, S) float32 of every pixel.
    """

    masks: np.ndarray
    points: np.ndarray
    maps: np.ndarray
    uncertainty: np.ndarray
    doubts: np.ndarray


class Labeller:
    """A finished labeller and the generator whose features it reads.

    Attributes:
        kinds: what it labels. settings: what it was trained with. digest: of its artefact.
    """

    def __init__(
        self, frozen: FrozenGenerator, ensemble: Ensemble, kinds: LabelKinds, settings: Mapping[str, Any], digest: str
    ) -> None:
        self.frozen, self.kinds, self.settings, self.digest = frozen, kinds, dict(settings), digest
        self.ensemble = ensemble.eval().requires_grad_(False)

    @torch.no_grad()
    def label(self, w: Tensor) -> Labels:
        """Labels of the pictures that codes draw: (n, latent) or (n, blocks, latent)."""
        parts = [self._one(code[None].to(self.frozen.device)) for code in w]
        return Labels(*(np.stack([part[name] for part in parts]) for name in Labels.__dataclass_fields__))

    def _one(self, code: Tensor) -> dict[str, np.ndarray]:
        size, kinds = self.frozen.size, self.kinds
        features = self.frozen.features(code)
        outputs = torch.cat(
            [
                self.ensemble(hypercolumns(features, size, pixels[None])[0])
                for pixels in torch.arange(size * size, device=code.device).split(PIXELS_AT_ONCE)
            ],
            dim=1,
        ).view(-1, size, size, kinds.outputs)
        scores, heat, values = outputs.split([len(kinds.classes), len(kinds.keypoints), len(kinds.maps)], dim=3)
        doubts = torch.zeros(size, size, device=code.device)
        masks = np.zeros((size, size), np.uint8)
        if kinds.classes:
            shares = scores.softmax(dim=3)
            doubts = doubts + divergence(shares)
            masks = shares.mean(dim=0).argmax(dim=2).to(torch.uint8).cpu().numpy()
        if kinds.keypoints:
            warm = heat.sigmoid()
            doubts = doubts + divergence(torch.stack([warm, 1 - warm], dim=4)).mean(dim=2)
        points = [_peak(heat_map) for heat_map in heat.sigmoid().mean(dim=0).permute(2, 0, 1).cpu().numpy()]
        if kinds.maps:
            if not kinds.classes and not kinds.keypoints:
                doubts = values.var(dim=0, unbiased=False).mean(dim=2)
            low, high = torch.tensor(list(kinds.maps.values()), device=code.device).T
            values = (self.ensemble.level_mean + self.ensemble.level_scale * values).clamp(low, high)
        maps = values.mean(dim=0).permute(2, 0, 1).cpu().numpy()
        return {
            "masks": masks,
            "points": np.asarray(points, np.float32).reshape(-1, 3),
            "maps": maps.astype(np.float32),
            "uncertainty": np.float32(uncertainty(doubts)),
            "doubts": doubts.float().cpu().numpy(),
        }


def divergence(shares: Tensor) -> Tensor:
    """Jensen-Shannon divergence in nats over the last axis of (members, ..., values) probabilities: entropy of the
    members' mean less the mean of their entropies; 0 where all say the same, at most log(members)."""
    mean = _entropy(shares.mean(dim=0))
    apart: Tensor = (mean - _entropy(shares).mean(dim=0)).clamp_min(0)
    return apart


def uncertainty(doubts: Tensor) -> float:
    """Mean of the most doubtful tenth of a picture's pixels."""
    flat = doubts.flatten()
    return float(flat.topk(max(1, round(DOUBTFUL * len(flat)))).values.mean())


def _entropy(shares: Tensor) -> Tensor:
    return -torch.special.xlogy(shares, shares).sum(dim=-1)


def _peak(heat: np.ndarray) -> tuple[float, float, float]:
    """x, y and height of a heat map's peak, by the weight of the 3 x 3 pixels around its warmest."""
    size = len(heat)
    row, column = divmod(int(heat.argmax()), size)
    top, left = min(max(row - 1, 0), size - 3), min(max(column - 1, 0), size - 3)
    window = np.asarray(heat[top : top + 3, left : left + 3], np.float64)
    weight = window / max(1e-12, window.sum())
    y, x = np.mgrid[top : top + 3, left : left + 3] + 0.5
    return float((weight * x).sum()), float((weight * y).sum()), float(heat[row, column])


def save_labeller(folder: Path, labeller: Labeller, notes: Mapping[str, Any]) -> str:
    """Write the artefact whole and return its digest; the generator is named in it, not copied.

    Raises:
        SelvedgeError: the disk is full or not writable; nothing is left.
    """
    tensors = {name: value.cpu().contiguous() for name, value in labeller.ensemble.state_dict().items()}
    body = {
        "format": FORMAT,
        "family": FAMILY,
        "generator": labeller.frozen.digest,
        "kinds": labeller.kinds.to_dict(),
        "settings": labeller.settings,
    }
    return save_artefact(folder, "labeller", body, tensors, WEIGHTS, dict(notes))


def read_labeller_about(folder: Path) -> dict[str, Any]:
    """`selvedge.json` of a labeller, held to its digest.

    Raises:
        SelvedgeError: missing, unreadable, of another family or format, or changed.
    """
    return read_saved(folder, "labeller", FAMILY, FORMAT)


def load_labeller(folder: Path, frozen: FrozenGenerator) -> Labeller:
    """A labeller for the generator that it was trained with.

    Raises:
        SelvedgeError: missing, damaged, or of another generator.
    """
    about = read_labeller_about(folder)
    if about["generator"] != frozen.digest:
        raise SelvedgeError(
            f"labeller {folder} reads the features of generator {about['generator'][:12]} and not of "
            f"{frozen.digest[:12]}; give the generator that it was trained with."
        )
    kinds = kinds_of(about["kinds"], f"labeller {folder}")
    tensors = read_tensors([folder / WEIGHTS])
    if digest_of(tensors) != about["weights"]:
        raise SelvedgeError(f"labeller {folder} does not match its digest ({WEIGHTS}); train it again.")
    settings = about["settings"]
    with torch.random.fork_rng(devices=[]):
        ensemble = Ensemble(int(settings["members"]), width_of(frozen), int(settings["hidden"]), kinds)
    ensemble.load_state_dict(tensors)
    return Labeller(frozen, ensemble.to(frozen.device), kinds, settings, str(about["digest"]))
