"""Training the judge: its slices, its loop, its temperatures, its examination.

Belongs here: from the bottoms to a finished judge. Not here: what a judge can be asked and its file
(training/attribute_judge.py), its layers (training/attribute_network.py).

The loop of training/attribute_classifier.py does not fit: it re-lights, turns and mirrors the pictures and spends rows
on choosing among epochs. Network, loss and optimiser are the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR

from catalog.errors import SelvedgeError
from evaluation.classification import expected_calibration_error
from evaluation.intervals import GroupResamples, interval, resampled_mean
from training.attribute_classifier import MISSING, masked_loss
from training.attribute_judge import AttributeJudge, AttributeScore, resized
from training.attribute_network import AttributeClassifier
from training.devices import choose_device, choose_precision
from training.driver import TrainingRun
from training.muon import Muon
from training.reporting import Reporter, Silent
from training.restgan.colours import ColourTable, nearest_clusters
from training.restgan.dataset import ATTRIBUTES, GENDERS, TYPES, Bottoms
from training.settings import INNER_SHARE, NOT_NEGATIVE, POSITIVE, SEED, Device, Range, hold_to_ranges
from training.temperature import fit_temperature

ARCHITECTURE = "separable"
MINIMUM_PICTURES = 50  # of part judge: fewer show most colours once or never
MINIMUM_TEST = 20
WHITE = 255.0
LEAST = 1e-12  # a probability; its logarithm is still a number


@dataclass(frozen=True)
class JudgeSettings:
    """How a judge is trained.

    Attributes:
        size: side of the pictures it sees, pixels; others are resized, with anti-aliasing. None: the data set's.
        width: channels after the stem; 8 times as many features (8: 64, 16: 128).
        epochs: passes over its part, less the calibration slice.
        shift: pictures are moved by up to this share of the side. mirror: and mirrored, unless left and right differ.
        label_smoothing: keeps its logits from growing once its own part is known by heart.
        calibration_share: of the groups of part judge, on which the temperatures are fitted and nothing else.
        precision: of the training's convolutions; the same seed gives the same weights on one machine in `fp32`.
    """

    size: Annotated[int | None, Range(8, 1024)] = None
    width: Annotated[int, POSITIVE] = 8
    epochs: Annotated[int, POSITIVE] = 40
    batch_size: Annotated[int, POSITIVE] = 32
    learning_rate: Annotated[float, POSITIVE] = 0.02
    weight_decay: Annotated[float, NOT_NEGATIVE] = 0.05
    label_smoothing: Annotated[float, Range(0, 0.99)] = 0.1
    shift: Annotated[float, Range(0, 0.49)] = 0.0625
    mirror: bool = False
    calibration_share: Annotated[float, INNER_SHARE] = 0.15
    precision: Literal["auto", "fp32", "bf16"] = "fp32"
    device: Annotated[str, Device()] = "auto"
    seed: Annotated[int, SEED] = 0

    def __post_init__(self) -> None:
        hold_to_ranges(self, "judge.")


def train_judge(
    bottoms: Bottoms,
    settings: JudgeSettings | None = None,
    reporter: Reporter | None = None,
    start: AttributeJudge | None = None,
    start_colours: ColourTable | None = None,
) -> AttributeJudge:
    """Train on part judge, calibrate on a slice of it, examine on part test.

    Args:
        bottoms: the whole data set; part train is not looked at.
        start: a judge of other bottoms to begin from, and the colour table of those; no generator may have learnt from
            its part judge either.

    Raises:
        SelvedgeError: too few pictures in part judge or test, an attribute of which part judge shows fewer than two
            classes or the calibration slice or part test none, or a loss that is not finite.
    """
    settings = settings or JudgeSettings()
    own, held_out = bottoms.of("judge"), bottoms.of("test")
    classes = {"type": TYPES, "colour": tuple(map(str, range(len(bottoms.colours)))), "gender": GENDERS}
    fit, calibration = _slices(own, settings)
    _check(own, held_out, fit, calibration, settings)
    size = settings.size or bottoms.size
    device = choose_device(settings.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = AttributeClassifier(classes, {}, size, settings.width, ARCHITECTURE)
        if start is not None and start_colours is not None:
            _begin_from(network, start, nearest_clusters(bottoms.colours, start_colours))
    network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    learn = own.take(fit)
    network.train()
    JudgeRun(network, resized(learn.pictures, size), _targets(learn.labels), settings, reporter or Silent()).train()
    network.eval()
    judge = AttributeJudge(network, dict.fromkeys(ATTRIBUTES, 1.0), {}, bottoms.digest)
    raw = torch.from_numpy(judge.features(learn.pictures))
    judge.centre, judge.scale = raw.mean(dim=0), raw.var(dim=0).mean().sqrt()
    judge.temperatures = _temperatures(judge, own.take(calibration))
    judge.exam = judge_figures(judge, held_out, own)
    return judge


def _begin_from(network: AttributeClassifier, start: AttributeJudge, colour_of: NDArray[np.int64]) -> None:
    """Copy all layers; a colour's logit begins as that of the nearest colour that the other judge knows."""
    if (network.width, network.architecture) != (start.network.width, start.network.architecture):
        raise SelvedgeError(
            f"the judge to begin from has width {start.network.width}, and judge.width is {network.width}; set it so."
        )
    theirs = dict(start.network.state_dict())
    sizes = [len(start.classes[name]) for name in ATTRIBUTES]
    first_colour = sizes[0]
    rows = [*range(first_colour), *(first_colour + colour_of), *range(sum(sizes[:2]), sum(sizes))]
    for name in ("head.weight", "head.bias"):
        theirs[name] = theirs[name][torch.as_tensor(rows)]
    network.load_state_dict(theirs)


def judge_figures(judge: AttributeJudge, bottoms: Bottoms, learnt: Bottoms) -> dict[str, AttributeScore]:
    """The judge's figures on labelled bottoms.

    Args:
        bottoms: those it is examined on. learnt: those that say which class is the commonest.
    """
    answers, figures = judge.probabilities(bottoms.pictures), {}
    for column, name in enumerate(ATTRIBUTES):
        rows = np.flatnonzero(bottoms.labels[:, column] >= 0)
        truth, table = bottoms.labels[rows, column], answers[name][rows]
        right = table.argmax(axis=1) == truth
        groups = bottoms.rows["group_id"].iloc[rows]
        bounds = interval(float(right.mean()), resampled_mean(right, GroupResamples(groups).row_weights(groups)))
        learnt_labels = learnt.labels[:, column]
        commonest = np.bincount(learnt_labels[learnt_labels >= 0]).argmax()
        error = expected_calibration_error(np.clip(table.max(axis=1), 0.0, 1.0), right)
        figures[name] = AttributeScore(
            accuracy=float(right.mean()),
            low=bounds.low,
            high=bounds.high,
            majority=float((truth == commonest).mean()),
            calibration_error=error,
            rows=len(rows),
            temperature=judge.temperatures[name],
        )
    return figures


def moved(pictures: Tensor, shift: float, mirror: bool, generator: torch.Generator) -> Tensor:
    """Copies moved by whole pixels over white, each its own way: (n, 3, s, s) from the same."""
    count, _, side, _ = pictures.shape
    reach = round(shift * side)
    padded = functional.pad(pictures, (reach,) * 4, value=WHITE)
    start = torch.randint(0, 2 * reach + 1, (2, count, 1), generator=generator)
    rows, columns = start[0] + torch.arange(side), start[1] + torch.arange(side)
    turned = torch.rand((count, 1), generator=generator) < (0.5 if mirror else 0.0)
    columns = torch.where(turned, columns.flip(1), columns)
    picture, plane = torch.arange(count)[:, None, None, None], torch.arange(3)[None, :, None, None]
    return padded[picture, plane, rows[:, None, :, None], columns[:, None, None, :]]


class JudgeRun(TrainingRun):
    """One cycle of the learning rate, the last weights kept: no picture is spent on choosing among epochs."""

    name = "attribute judge"

    def __init__(
        self,
        network: AttributeClassifier,
        pictures: Tensor,
        targets: Tensor,
        settings: JudgeSettings,
        reporter: Reporter,
    ) -> None:
        self.network, self.pictures, self.targets, self.settings = network, pictures, targets, settings
        self.remedy = f"lower judge.learning_rate {settings.learning_rate}"
        self.generator = torch.Generator().manual_seed(settings.seed)
        self.steps_an_epoch = max(1, len(pictures) // settings.batch_size)
        groups = [
            {"params": [p for p in network.parameters() if p.ndim > 1], "weight_decay": settings.weight_decay},
            {"params": [p for p in network.parameters() if p.ndim <= 1], "weight_decay": 0.0},
        ]
        device = next(network.parameters()).device
        super().__init__(
            settings.epochs * self.steps_an_epoch,
            Muon(groups, settings.learning_rate),
            dict(network.named_parameters()),
            reporter,
            device=device,
            precision=choose_precision(settings.precision, device),
        )

    def schedule(self) -> LRScheduler:
        peak, total = self.settings.learning_rate, max(2, self.total)
        return OneCycleLR(self.optimiser, peak, total, pct_start=0.15, cycle_momentum=False, div_factor=10)

    def advance(self) -> dict[str, Tensor]:
        settings, position = self.settings, self.step % self.steps_an_epoch
        if position == 0:
            self.order = torch.randperm(len(self.pictures), generator=self.generator)
        batch = self.order[position * settings.batch_size : (position + 1) * settings.batch_size]
        views = moved(self.pictures[batch], settings.shift, settings.mirror, self.generator).to(self.device)
        with self.autocast():
            nothing_given = torch.zeros((len(batch), 0), dtype=torch.int64, device=self.device)
            logits = self.network(views, nothing_given).float()
        return self.update(
            masked_loss(self.network, logits, self.targets[batch].to(self.device), settings.label_smoothing)
        )

    def after_step(self, values: Mapping[str, float]) -> None:
        self.reporter.progress(self.step, self.total, "judge")
        if self.step % self.steps_an_epoch == 0:
            self.reporter.metrics(self.step, {"judge/loss": values["loss"]})


def _targets(labels: NDArray[np.int64]) -> Tensor:
    return torch.from_numpy(np.where(labels < 0, MISSING, labels))


def _temperatures(judge: AttributeJudge, slice_: Bottoms) -> dict[str, float]:
    """Temperatures with the least negative log-likelihood of the slice; the judge's own are still 1.

    A slice without a mistake would be fitted best by certainty of everything, of generated pictures too; there the
    least sure answer is counted once more, as if it had been wrong.
    """
    answers, fitted = judge.probabilities(slice_.pictures), {}
    for column, name in enumerate(ATTRIBUTES):
        rows = np.flatnonzero(slice_.labels[:, column] >= 0)
        logs = np.log(np.maximum(answers[name][rows], LEAST))
        truth = slice_.labels[rows, column]
        if (logs.argmax(axis=1) == truth).all():
            unsure = logs[logs.max(axis=1).argmin()]
            logs, truth = np.vstack([logs, unsure]), np.append(truth, unsure.argsort()[-2])
        fitted[name] = fit_temperature(list(logs), truth)
    return fitted


def _slices(own: Bottoms, settings: JudgeSettings) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to learn from and rows to calibrate on; no group is in both."""
    groups, number = np.unique(own.rows["group_id"].to_numpy(dtype=object).astype(str), return_inverse=True)
    order = np.random.default_rng(settings.seed).permutation(len(groups))
    calibration = order[: round(settings.calibration_share * len(groups))]
    in_slice = np.isin(number, calibration)
    return np.flatnonzero(~in_slice), np.flatnonzero(in_slice)


def _check(
    own: Bottoms,
    held_out: Bottoms,
    fit: NDArray[np.int64],
    calibration: NDArray[np.int64],
    settings: JudgeSettings,
) -> None:
    if len(own) < MINIMUM_PICTURES or len(held_out) < MINIMUM_TEST or len(fit) < settings.batch_size:
        raise SelvedgeError(
            f"the judge needs {MINIMUM_PICTURES} pictures in part judge and {MINIMUM_TEST} in part test, and there are "
            f"{len(own)} and {len(held_out)}; read a larger catalogue."
        )
    for column, name in enumerate(ATTRIBUTES):
        shown = set(own.labels[fit, column].tolist()) - {-1}
        if len(shown) < 2:
            raise SelvedgeError(
                f"part judge shows {len(shown)} {name} classes to learn from, and there is nothing to tell apart; "
                "read a catalogue with more."
            )
        for rows, what in ((own.labels[calibration, column], "the judge's calibration slice"),
                           (held_out.labels[:, column], "part test")):  # fmt: skip
            if not (rows >= 0).any():
                raise SelvedgeError(f"{what} has no picture whose {name} is known; read a catalogue with more labels.")
