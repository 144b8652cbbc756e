"""Go or no-go: do the frozen features hold what the catalogue will ask, and can a small adapter make the base say it?

Belongs here: a drawn sample that no training saw, the linear probe, the short LoRA trial.
Not here: the scores of a candidate (evaluation/), the LoRA job itself (training/blip2/lora.py).

Only here, after the base is made, are the catalogue's questions and values used: as an exam.
"""

import multiprocessing
import os
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from catalog import drawn
from catalog.schema import AttributeSchema, load_schema
from evaluation.classification import macro_f1
from training.blip2.adapter import attach_new, detach, parameters_of, trainable
from training.blip2.answers import AnswerTrie, PictureQuestion, answer_all, pad_right
from training.blip2.base import Base
from training.blip2.language import answer_loss, image_tokens
from training.blip2.pretraining.pictures import SIDE, garment_image, text_rng
from training.blip2.settings import Layer, LoraSettings
from training.blip2.tokenizer import encode
from training.driver import TrainingRun, half_cosine
from training.reporting import Silent

COLOUR = "Colour"
PENALTIES = (1e-3, 1e-2, 1e-1)


@dataclass(frozen=True)
class Exam:
    """Drawn products and their truth. images (n, 128, 128, 3) uint8; labels: attribute to (n,) int64 with -1; split (n,) int8
    (0 train, 1 validation, 2 test, by item); types: article type of each."""

    images: np.ndarray
    labels: dict[str, np.ndarray]
    values: dict[str, list[str]]
    split: np.ndarray
    types: list[str]


def draw_exam(seed: int, products: int, draw_size: int, workers: int | None = None) -> Exam:
    """A sample drawn with a seed of its own; products of one item stay on one side of the split."""
    from catalog.drawn.spec import sample_spec
    from catalog.drawn.vocabulary import ATTRIBUTES, values_of

    specs = [sample_spec(seed, number, "studio") for number in range(products)]
    truth = [{COLOUR: spec.base_colour} | spec.attributes for spec in specs]
    values = {COLOUR: sorted({row[COLOUR] for row in truth})} | {name: values_of(name) for name in ATTRIBUTES}
    labels = {
        name: np.array([names.index(row[name]) if name in row else -1 for row in truth])
        for name, names in values.items()
    }
    items = {key: index for index, key in enumerate(dict.fromkeys(spec.item_key for spec in specs))}
    side = np.random.default_rng(seed).choice([0, 0, 0, 0, 0, 0, 0, 1, 2, 2], len(items))
    split = np.array([side[items[spec.item_key]] for spec in specs])
    jobs = [(seed, start, min(start + 64, products), draw_size) for start in range(0, products, 64)]
    if products <= 64:
        images = [_draw(jobs[0])]
    else:
        with ProcessPoolExecutor(
            workers or len(os.sched_getaffinity(0)), mp_context=multiprocessing.get_context("spawn")
        ) as pool:
            images = list(pool.map(_draw, jobs))
    return Exam(np.concatenate(images), labels, values, split, [spec.article_type for spec in specs])


def kept_exam(file: Path, seed: int, products: int, draw_size: int, workers: int | None = None) -> Exam:
    """`draw_exam`, drawn once and read again from `file` (npz)."""
    key = f"{seed} {products} {draw_size} {drawn.VERSION}"
    if file.is_file():
        with np.load(file, allow_pickle=False) as held:
            if str(held["key"]) == key:
                names = [str(name) for name in held["names"]]
                labels = {name: held[f"labels/{name}"] for name in names}
                values = {name: [str(value) for value in held[f"values/{name}"]] for name in names}
                return Exam(held["images"], labels, values, held["split"], [str(kind) for kind in held["types"]])
    exam = draw_exam(seed, products, draw_size, workers)
    file.parent.mkdir(parents=True, exist_ok=True)
    columns: dict[str, Any] = {f"labels/{name}": values for name, values in exam.labels.items()}
    columns |= {f"values/{name}": np.array(values) for name, values in exam.values.items()}
    np.savez(
        file, key=np.array(key), names=np.array(list(exam.labels)), images=exam.images, split=exam.split,
        types=np.array(exam.types), **columns,
    )  # fmt: skip
    return exam


def _draw(job: tuple[int, int, int, int]) -> np.ndarray:
    seed, start, stop, draw_size = job
    out = np.empty((stop - start, SIDE, SIDE, 3), np.uint8)
    for number in range(start, stop):
        out[number - start] = garment_image(seed, number, draw_size, text_rng(seed, number))[0]
    return out


@torch.no_grad()
def exam_features(base: Base, exam: Exam, batch: int = 256) -> Tensor:
    """Q-Former outputs (n, queries, d) float32, on the base's device, from the frozen base."""
    outputs = []
    for start in range(0, len(exam.images), batch):
        pixels = base.preprocessing.normalised(exam.images[start : start + batch]).to(base.device)
        states = base.model.vision_model(pixel_values=pixels).last_hidden_state
        queries = base.model.query_tokens.expand(len(states), -1, -1)
        outputs.append(base.model.qformer(query_embeds=queries, encoder_hidden_states=states).last_hidden_state)
    return torch.cat(outputs).float()


def linear_probe(tokens: Tensor, exam: Exam) -> dict[str, Any]:
    """Macro-F1 on the test part of a logistic readout per attribute, penalty chosen on the validation part.

    Args:
        tokens: (n, queries, d) image tokens as the language model reads them.

    Returns:
        {"mean": …, "by_attribute": {…}, "majority": mean macro-F1 of always answering the most frequent value}.
    """
    flat = tokens.flatten(1)
    split = torch.from_numpy(exam.split).to(flat.device)
    flat = (flat - flat[split == 0].mean(0)) / (flat[split == 0].std(0) + 1e-4)
    by_attribute, floor = {}, []
    for name, labels in exam.labels.items():
        truth = torch.from_numpy(labels).to(flat.device)
        train, validation, test = ((truth >= 0) & (split == part) for part in range(3))
        if int(train.sum()) < 2 or not int(test.sum()):
            continue
        best = (-1.0, 0.0)
        for penalty in PENALTIES:
            head = _fit(flat[train], truth[train], len(exam.values[name]), penalty)
            scored = _macro_f1(truth[validation], head(flat[validation]).argmax(1)) if int(validation.sum()) else 0.0
            best = max(best, (scored, _macro_f1(truth[test], head(flat[test]).argmax(1))))
        by_attribute[name] = best[1]
        floor.append(_macro_f1(truth[test], truth[train].mode().values.expand(int(test.sum()))))
    return {
        "mean": float(np.mean(list(by_attribute.values()))),
        "majority": float(np.mean(floor)),
        "by_attribute": by_attribute,
    }


def _fit(features: Tensor, labels: Tensor, classes: int, penalty: float) -> nn.Linear:
    head = nn.Linear(features.shape[1], classes, device=features.device)
    nn.init.zeros_(head.weight)
    optimiser = torch.optim.LBFGS(head.parameters(), max_iter=60, history_size=8, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(head(features), labels) + penalty * head.weight.square().sum() / 2
        loss.backward()
        return loss

    with torch.enable_grad():
        optimiser.step(closure)
    return head


def _macro_f1(truth: Tensor, answer: Tensor) -> float:
    """`evaluation.classification.macro_f1` of numbered values; 0 where there are no rows."""
    return (
        macro_f1([str(value) for value in truth.tolist()], [str(value) for value in answer.tolist()])
        if len(truth)
        else 0.0
    )


def lora_trial(
    folder: Path, exam: Exam, products: int, steps: int, *, targets: tuple[Layer, ...] | None, rate: float, device: torch.device,
    batch: int = 64, noise: float = 0.07, seconds: float = 120.0,
) -> dict[str, Any]:  # fmt: skip
    """Teach a fresh adapter the catalogue's questions on the frozen base; macro-F1 on the exam's test part, both decodings.

    Args:
        targets: linear layers with an adapter; None takes the profile's.
        noise: share of training labels replaced by another value, as a catalogue has them.
    """
    from training.blip2.base import load_base

    base = load_base(folder, device=device)
    features = exam_features(base, exam)
    schema = load_schema()
    questions = {(name, kind): schema.question(name, kind) for name in exam.labels for kind in set(exam.types)}
    rng = np.random.default_rng(7)
    rows = [
        (int(i), name)
        for name, labels in exam.labels.items()
        for i in np.flatnonzero((labels >= 0) & (exam.split == 0) & (np.arange(len(labels)) < products))
    ]
    taught = {name: labels.copy() for name, labels in exam.labels.items()}
    for i, name in rows:
        if rng.random() < noise:
            taught[name][i] = rng.integers(len(exam.values[name]))
    prompts = [encode(base.tokenizer, base.prompt.text(questions[name, exam.types[i]])) for i, name in rows]
    answers = [
        encode(base.tokenizer, schema.answer(name, exam.values[name][taught[name][i]]), end=True) for i, name in rows
    ]
    torch.manual_seed(0)
    settings = LoraSettings(targets=targets, learning_rate=rate, steps=steps, batch_size=batch)
    adapted = attach_new(base, settings)
    trial = _Trial(base, trainable(adapted), features, [i for i, _ in rows], prompts, answers, settings, rng, seconds)
    adapted.train()
    trial.train()
    adapted.eval()
    modules, parameters = parameters_of(adapted)
    scores = {how: _score(base, features, exam, schema, how) for how in ("trie", "scored")}
    detach(adapted)
    return {
        "targets": list(targets or base.profile.lora_targets), "rate": rate, "steps": trial.step, "modules": modules,
        "parameters": parameters, "training_pairs": len(rows), "loss_first": trial.losses[0],
        "loss_last": float(np.mean(trial.losses[-50:])), "seconds": round(trial.seconds, 1), "macro_f1": scores,
    }  # fmt: skip


class _Trial(TrainingRun):
    """A short training of an adapter, until its steps are made or its time is up."""

    name = "LoRA trial"
    remedy = "lower its rate"

    def __init__(
        self, base: Base, parameters: dict[str, nn.Parameter], features: Tensor, rows: list[int],
        prompts: list[list[int]], answers: list[list[int]], settings: LoraSettings, rng: np.random.Generator,
        seconds: float,
    ):  # fmt: skip
        optimiser = torch.optim.AdamW(parameters.values(), lr=settings.learning_rate, weight_decay=0.0)
        super().__init__(
            settings.steps, optimiser, parameters, Silent(),
            device=base.device, precision=torch.bfloat16, clip_norm=1.0,
        )  # fmt: skip
        self.base, self.features, self.rows, self.prompts, self.answers = base, features, rows, prompts, answers
        self.batch_size, self.rng, self.limit = settings.batch_size, rng, seconds
        self.began, self.losses = time.monotonic(), list[float]()

    def _progress(self, step: int) -> float:
        return max(step / self.total, (time.monotonic() - self.began) / self.limit)

    def is_over(self) -> bool:
        return self._progress(self.step) >= 1

    def rate(self, step: int) -> float:
        return min(1, (step + 1) / 50) * half_cosine(self._progress(step))

    def advance(self) -> dict[str, Tensor]:
        picked = [int(k) for k in self.rng.integers(0, len(self.rows), self.batch_size)]
        question, mask = pad_right([self.prompts[k] for k in picked], 0, self.device)
        labels, real = pad_right([self.answers[k] for k in picked], 0, self.device)
        seen = self.features[torch.tensor([self.rows[k] for k in picked], device=self.device)]
        with self.autocast():
            tokens = image_tokens(self.base.model, seen)
            total, count = answer_loss(self.base.model, tokens, question, mask, labels.masked_fill(~real, -100))
        return self.update(total / count)

    def after_step(self, values: Mapping[str, float]) -> None:
        self.losses.append(values["loss"])


def _score(base: Base, features: Tensor, exam: Exam, schema: AttributeSchema, how: Any) -> dict[str, Any]:
    by_attribute = {}
    start = int(base.model.language_model.config.decoder_start_token_id)
    for name, labels in exam.labels.items():
        test = np.flatnonzero((labels >= 0) & (exam.split == 2))
        if not len(test):
            continue
        trie = AnswerTrie([schema.answer(name, value) for value in exam.values[name]], base.tokenizer, start)
        asked = [PictureQuestion(int(i), schema.question(name, exam.types[i]), trie) for i in test]
        said = torch.tensor([score.answer_index for score in answer_all(base, features, asked, how)])
        by_attribute[name] = _macro_f1(torch.from_numpy(labels[test]), said)
    return {"mean": float(np.mean(list(by_attribute.values()))), "by_attribute": by_attribute}


def run_probe(folder: Path, exam: Exam, device: torch.device) -> dict[str, Any]:
    """The linear probe of a saved base."""
    from training.blip2.base import load_base

    base = load_base(folder, device=device)
    with torch.no_grad():
        tokens = image_tokens(base.model, exam_features(base, exam))
    return linear_probe(tokens.float(), exam)


TRIALS: tuple[tuple[tuple[Layer, ...] | None, float], ...] = (
    (None, 2e-3),
    (None, 5e-3),
    (("q", "k", "v", "o", "wi_0", "wi_1", "wo"), 2e-3),
)


def run_trials(
    folder: Path, exam: Exam, products: int, steps: int, device: torch.device, seconds: float
) -> list[dict[str, Any]]:
    """LoRA trials side by side on a GPU (each leaves most of it idle), one after the other on a CPU."""
    jobs = [(folder, exam, products, steps, targets, rate, str(device), seconds) for targets, rate in TRIALS]
    if device.type != "cuda":
        return [_trial(job) for job in jobs]
    with ProcessPoolExecutor(len(jobs), mp_context=multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(_trial, jobs))


def _trial(job: tuple[Path, Exam, int, int, tuple[Layer, ...] | None, float, str, float]) -> dict[str, Any]:
    folder, exam, products, steps, targets, rate, device, seconds = job
    return lora_trial(
        folder, exam, products, steps, targets=targets, rate=rate, device=torch.device(device), seconds=seconds
    )
