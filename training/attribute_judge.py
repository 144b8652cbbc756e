"""The judge: an attribute classifier that no generator was ever trained with, whose answers and features measure them.

Belongs here: what it can be asked, what it says of itself, its file. Not here: its training (a family's), its layers
(attribute_network.py), what is made of its answers (evaluation/generation.py, refinement.py), the auxiliary classifier
inside a GAN.

It must not be gamed. It learns from part `judge` alone, which no generator sees; its layers are depthwise 7 x 7
convolutions with inverted bottlenecks, nothing like the strided convolutions of a discriminator; and its augmentation
is none of a generator's: pictures are moved by whole pixels over white, so it never meets an interpolated picture and
holds a blurred one for strange, and colour and light are left alone, because colour is what it is asked for.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from torch.nn import functional

from catalog.errors import SelvedgeError
from catalog.files import json_sha256, publish_bytes
from training.attribute_network import AttributeClassifier
from training.weights import digest_of

FORMAT = 1
JUDGE_FILE = "judge.safetensors"  # its name inside an artefact
CENTRE, SCALE = "features/centre", "features/scale"


@dataclass(frozen=True)
class AttributeScore:
    """What the judge knows of one attribute on part test.

    accuracy: share of labelled pictures answered right; low, high: its 95 % interval, groups resampled.
    majority: accuracy of always naming the commonest class of part judge: the floor.
    calibration_error: expected, 15 bins. rows: labelled pictures. temperature: what its logits are divided by.
    """

    accuracy: float
    low: float
    high: float
    majority: float
    calibration_error: float
    rows: int
    temperature: float


class AttributeJudge:
    """A finished judge: pictures in, class probabilities and features out.

    Attributes:
        network: in evaluation mode. temperatures: attribute -> what its logits are divided by.
        exam: attribute -> its figures on part test. data: digest of the bottoms it learnt from.
        classes: attribute -> names of the classes, in the order of the labels; a colour cluster is its number.
        centre, scale: (d,) and () float32, mean of the raw features and root of their mean variance over the pictures
            it learnt from.
    """

    def __init__(
        self,
        network: AttributeClassifier,
        temperatures: Mapping[str, float],
        exam: Mapping[str, AttributeScore],
        data: str,
    ) -> None:
        self.network = network.eval()
        self.temperatures, self.exam, self.data = dict(temperatures), dict(exam), data
        self.classes = network.vocabularies
        self.centre, self.scale = torch.zeros(network.head.in_features), torch.ones(())

    @property
    def digest(self) -> str:
        """sha256 over weights, shape, temperatures, exam and data: names this judge beside every figure it gave."""
        return _digest(self.header(), self.tensors())

    @property
    def own_accuracy(self) -> dict[str, float]:
        """Attribute -> accuracy on part test."""
        return {name: figures.accuracy for name, figures in self.exam.items()}

    @torch.no_grad()
    def probabilities(self, pictures: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Attribute -> (N, its classes) float32 calibrated probabilities; column k is label k.

        Args:
            pictures: (N, S, S, 3) uint8 RGB, any side.

        Raises:
            SelvedgeError: another shape or type.
        """
        logits = torch.cat([self.network.head(functional.relu(part)) for part in self._joint(pictures)])
        return {
            name: (part / self.temperatures[name]).softmax(dim=1).cpu().numpy()
            for name, part in self.network.per_attribute(logits).items()
        }

    def features(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, 8 * width) float32 of the layer below all answers, before its ReLU, with mean 0 and mean variance 1.

        Args and Raises: as for `probabilities`.

        One scale for all of them leaves Fréchet distances in proportion; without it the cubic kernel of KID is decided
        by the few longest features, and cosines by the mean that all pictures share.
        """
        return ((torch.cat(list(self._joint(pictures))).cpu() - self.centre) / self.scale).numpy()

    @torch.no_grad()
    def read_features(self, features: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Attribute -> (N, its classes) float32 log-probabilities of what `features` gave, without the pictures."""
        joint = torch.tensor(features, dtype=torch.float32) * self.scale + self.centre
        weights = self.network.head.weight
        logits = self.network.head(functional.relu(joint.to(weights.device)))
        return {
            name: (part / self.temperatures[name]).log_softmax(dim=1).cpu().numpy()
            for name, part in self.network.per_attribute(logits).items()
        }

    @torch.no_grad()
    def _joint(self, pictures: NDArray[np.uint8]) -> Iterator[Tensor]:
        # Single precision throughout: a Fréchet distance sees rounding of bf16 as a difference between models.
        device = next(self.network.parameters()).device
        for start in range(0, len(as_pictures(pictures)), 256):
            batch = resized(pictures[start : start + 256], self.network.size)
            yield self.network.joint(self.network.embed(batch.to(device))).float()

    def tensors(self) -> dict[str, Tensor]:
        weights = {name: value.contiguous().cpu() for name, value in self.network.state_dict().items()}
        return weights | {CENTRE: self.centre, SCALE: self.scale}

    def header(self) -> dict[str, str]:
        shape = {"size": self.network.size, "width": self.network.width, "architecture": self.network.architecture}
        exam = {name: asdict(figures) for name, figures in self.exam.items()}
        values = {"shape": shape, "classes": self.classes, "temperatures": self.temperatures, "exam": exam}
        # The names are not sorted: their order is the order of the logits.
        described = {name: json.dumps(value) for name, value in values.items()}
        return {"format": str(FORMAT), "data": self.data, **described}


def save_judge(judge: AttributeJudge, path: Path | str) -> None:
    """Write the judge as one safetensors file: weights, classes, temperatures, exam, digests.

    Raises:
        SelvedgeError: the place cannot be written; nothing was changed.
    """
    publish_bytes(save(judge.tensors(), judge.header() | {"digest": judge.digest}), path)


def load_judge(path: Path | str, device: str = "cpu") -> AttributeJudge:
    """The judge that `save_judge` wrote.

    Raises:
        SelvedgeError: missing, damaged, of another format, or its content does not match its digest.
    """
    try:
        with safe_open(path, "pt", device="cpu") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (FileNotFoundError, SafetensorError) as error:
        raise SelvedgeError(f"judge {path} cannot be read ({error}); train it first.") from error
    if header.get("format") != str(FORMAT):
        raise SelvedgeError(f"judge {path} has format {header.get('format')!r} and not {FORMAT}; train it again.")
    if header.pop("digest", None) != _digest(header, tensors):
        raise SelvedgeError(f"judge {path} does not match its digest; train it again.")
    shape, classes = json.loads(header["shape"]), json.loads(header["classes"])
    network = AttributeClassifier(classes, {}, **shape)
    centre, scale = tensors.pop(CENTRE), tensors.pop(SCALE)
    network.load_state_dict(tensors)
    network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    exam = {name: AttributeScore(**figures) for name, figures in json.loads(header["exam"]).items()}
    judge = AttributeJudge(network, json.loads(header["temperatures"]), exam, header["data"])
    judge.centre, judge.scale = centre, scale
    return judge


def as_pictures(pictures: NDArray[Any]) -> NDArray[np.uint8]:
    """The same array if it holds pictures.

    Raises:
        SelvedgeError: not (N, S, S, 3) uint8; a network's floats in -1 to 1 would be taken for black pictures.
    """
    array = np.asarray(pictures)
    square = array.ndim == 4 and array.shape[3] == 3 and array.shape[1] == array.shape[2]
    if array.dtype != np.uint8 or not square or not len(array):
        raise SelvedgeError(
            f"the judge got {array.dtype} of shape {array.shape}; give square RGB pictures, (N, S, S, 3) uint8."
        )
    return array


def resized(pictures: NDArray[np.uint8], size: int) -> Tensor:
    """(N, 3, size, size) float32 in 0 to 255, anti-aliased where the side is another."""
    planes = torch.from_numpy(as_pictures(pictures).transpose(0, 3, 1, 2).astype(np.float32))
    if planes.shape[2] == size:
        return planes
    return functional.interpolate(planes, (size, size), mode="bilinear", antialias=True, align_corners=False)


def _digest(header: Mapping[str, str], tensors: Mapping[str, Tensor]) -> str:
    return json_sha256([dict(sorted(header.items())), digest_of(tensors)], sort_keys=False)
