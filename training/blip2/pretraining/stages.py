"""The two stages: first the image half against text it can be held to, then the language model on many kinds of question.

Belongs here: the steps, their losses, rates, running average and stopping by the clock.
Not here: the order of a run (training/driver.py), the corpus, the heads, what is saved when (make.py).

Unlike the paper, nothing starts from published weights, so nothing is frozen: stage 2 goes on training the image half at a lower
rate, with the phrase and part losses of stage 1 keeping what it has learnt.
"""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import Blip2ForConditionalGeneration

from training.blip2.language import answer_loss, decode, encode, image_tokens
from training.blip2.preprocessing import Preprocessing
from training.blip2.pretraining.augmentation import augment
from training.blip2.pretraining.corpus import Corpus, CorpusBatch
from training.blip2.pretraining.heads import Readouts, TextSide
from training.blip2.pretraining.pictures import QUESTION_KINDS
from training.blip2.pretraining.recipe import Recipe
from training.driver import TrainingRun, half_cosine, running_mean
from training.reporting import Silent

REPORT_STEPS = 50
WARM_STEPS = 12  # made one kernel at a time before a step is recorded, so that every buffer exists


class CannotRecord(RuntimeError):
    """A step could not be made a CUDA graph; the process should start again without (its device state is unsafe)."""


@dataclass
class Course:
    """How far a stage has come, as it is written into the metrics file."""

    stage: int
    steps: int = 0
    pictures: int = 0
    seconds: float = 0.0
    curve: list[dict[str, float]] = field(default_factory=list)


class Keeper(Protocol):
    """What a stage hands its figures and itself to."""

    def report(self, course: Course) -> None:
        """A new entry of the curve."""

    def save_state(self, course: Course) -> None:
        """Write all that a later call goes on from."""


Losses = Callable[[], tuple[dict[str, Tensor], dict[str, Tensor]]]
"""Weighted losses by name, and what else is worth reporting."""


class Pretraining:
    """A base being made: the model, what is thrown away afterwards, and the running average that is saved."""

    def __init__(
        self, model: Blip2ForConditionalGeneration, text: TextSide, readouts: Readouts, preprocessing: Preprocessing,
        recipe: Recipe, device: torch.device, graphs: bool = True,
    ):  # fmt: skip
        self.model: Any = model.to(device)  # type: ignore[arg-type]  # the library types its decorator, not the method
        self.text, self.readouts = text.to(device), readouts.to(device)
        self.recipe, self.device = recipe, device
        self.mean = torch.tensor(preprocessing.mean, device=device)[:, None, None]
        self.std = torch.tensor(preprocessing.std, device=device)[:, None, None]
        # A young average follows quickly, or it would hold on to random weights.
        self.average = running_mean(self.model, lambda steps: min(recipe.keep_average, (1 + steps) / (10 + steps)))
        self.graphs = graphs and device.type == "cuda"
        self.optimiser: torch.optim.Optimizer | None = None
        self.moments: dict[str, Tensor] = {}  # of a loaded state, waiting for the optimiser they belong to

    def stage1(self, corpus: Corpus, seconds: float, keeper: Keeper, first: int = 0) -> Course:
        """Image half, text side and readouts together; the language model rests."""
        recipe = self.recipe
        trained: list[nn.Module] = [
            self.model.vision_model,
            self.model.qformer,
            self.model.language_projection,
            self.text,
            self.readouts,
        ]
        named = [(name, p) for module in trained for name, p in module.named_parameters()]
        named.append(("query_tokens", self.model.query_tokens))
        optimiser = _optimiser([(named, recipe.stage1_lr)], recipe)

        def losses() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
            batch = corpus.batch(recipe.stage1_batch, 1)
            patches, queries, cells = self._see(batch)
            parts = self.text.losses(queries, batch.captions)
            kept, right = self._kept(patches, queries, cells, batch)
            weights = {"contrast": recipe.contrast_weight, "match": recipe.match_weight, "caption": recipe.caption_weight,
                       "phrase": recipe.phrase_weight, "patch_phrase": recipe.patch_phrase_weight,
                       "parts": recipe.parts_weight, "colour": recipe.colour_weight}  # fmt: skip
            return {name: weights[name] * loss for name, loss in (parts | kept).items()}, right

        course = Course(1, first)
        return self._run(
            _Stage(self, course, recipe.stage1_steps, recipe.stage1_batch, optimiser, losses, corpus, seconds, keeper)
        )

    def stage2(self, corpus: Corpus, seconds: float, keeper: Keeper, first: int = 0) -> Course:
        """The language model on questions of many kinds, the image half following at a lower rate."""
        recipe = self.recipe
        language = [(name, p) for name, p in self.model.language_model.named_parameters()]
        language += list(self.model.language_projection.named_parameters()) + list(self.readouts.named_parameters())
        image = [*self.model.vision_model.named_parameters(), *self.model.qformer.named_parameters()]
        image.append(("query_tokens", self.model.query_tokens))
        optimiser = _optimiser([(language, recipe.stage2_lr), (image, recipe.vision_share * recipe.stage2_lr)], recipe)

        def losses() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
            batch = corpus.batch(recipe.stage2_batch, recipe.stage2_questions)
            patches, queries, cells = self._see(batch)
            kept, right = self._kept(patches, queries, cells, batch)
            tokens = (
                image_tokens(self.model, queries)[:, None].expand(-1, recipe.stage2_questions, -1, -1).flatten(0, 1)
            )
            answer = mean_answer_loss(self.model, tokens, batch.questions.flatten(0, 1), batch.answers.flatten(0, 1))
            weights = {
                "phrase": recipe.stage2_phrase_weight,
                "patch_phrase": recipe.stage2_patch_phrase_weight,
                "parts": recipe.stage2_parts_weight,
                "colour": recipe.stage2_phrase_weight,
            }
            weighted = {name: weights[name] * loss for name, loss in kept.items()}
            return {"answer": answer, **weighted}, right

        course = Course(2, first)
        return self._run(
            _Stage(self, course, recipe.stage2_steps, recipe.stage2_batch, optimiser, losses, corpus, seconds, keeper)
        )

    @torch.no_grad()
    def loss_by_kind(self, corpus: Corpus, batches: int = 6) -> dict[str, float]:
        """Answer loss per token of every kind of question, with the weights as they stand."""
        sums: dict[str, list[tuple[float, int]]] = {}
        for _ in range(batches):
            batch = corpus.batch(self.recipe.stage2_batch, self.recipe.stage2_questions)
            with torch.autocast(self.device.type, torch.bfloat16):
                tokens = image_tokens(self.model, self._see(batch)[1])
                for index, kind in enumerate(QUESTION_KINDS):
                    rows, which = (batch.kinds == index).nonzero(as_tuple=True)
                    if len(rows):
                        questions, answers = batch.questions[rows, which], batch.answers[rows, which]
                        aim = answers.masked_fill(answers == 0, -100)
                        total, count = answer_loss(self.model, tokens[rows], questions, questions != 0, aim)
                        sums.setdefault(kind, []).append((float(total), int(count)))
        return {kind: sum(t for t, _ in pairs) / sum(c for _, c in pairs) for kind, pairs in sums.items()}

    def _see(self, batch: CorpusBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Patch states, query outputs and the part map of an augmented batch."""
        with torch.autocast(self.device.type, enabled=False):
            pixels, cells = augment(batch.images, batch.parts, batch.garment)
            pixels = ((pixels - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        states = self.model.vision_model(pixel_values=pixels).last_hidden_state
        queries = self.model.query_tokens.expand(len(states), -1, -1)
        return (
            states[:, 1:],
            self.model.qformer(query_embeds=queries, encoder_hidden_states=states).last_hidden_state,
            cells,
        )

    def _kept(
        self, patches: Tensor, queries: Tensor, cells: Tensor, batch: CorpusBatch
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        tokens = image_tokens(self.model, queries)
        phrase, right = self.readouts.phrase_loss(tokens, batch.phrases)
        patch_phrase, patch_right = self.readouts.patch_phrase_loss(patches, batch.phrases)
        colour, parts = self.readouts.colour_loss(tokens, batch.lab), self.readouts.parts_loss(patches, cells)
        losses = {"phrase": phrase, "patch_phrase": patch_phrase, "colour": colour, "parts": parts}
        return losses, {"phrases_right": right, "patch_phrases_right": patch_right}

    def _run(self, stage: "_Stage") -> Course:
        """Train a stage on a stream of its own, as recording wants it."""
        self.model.train()
        if self.moments:
            restore_moments(stage.optimiser, self.moments)
            self.moments = {}
        if self.device.type != "cuda":
            stage.train()
            return stage.course
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            stage.train()
        torch.cuda.current_stream().wait_stream(stream)
        torch.cuda.synchronize()
        return stage.course


class _Stage(TrainingRun):
    """One stage: until the steps are made or the clock runs out; the rate falls with whichever is further on.

    Its checkpoint is the whole pre-training's (state.py), written by `keeper`.
    """

    name = "pre-training"
    remedy = "lower the rate"
    check_every = REPORT_STEPS  # a look at the values waits for the device

    def __init__(
        self, pretraining: Pretraining, course: Course, steps: int, batch_size: int, optimiser: torch.optim.Optimizer,
        losses: Losses, corpus: Corpus, seconds: float, keeper: Keeper,
    ):  # fmt: skip
        recipe = pretraining.recipe
        trained = [parameter for group in optimiser.param_groups for parameter in group["params"]]
        super().__init__(
            steps, optimiser, {str(number): parameter for number, parameter in enumerate(trained)}, Silent(),
            device=pretraining.device, precision=torch.bfloat16, clip_norm=recipe.clip,
            checkpoint_every=recipe.checkpoint_steps,
        )  # fmt: skip
        self.pretraining, self.course, self.batch_size = pretraining, course, batch_size
        self.losses, self.corpus, self.limit, self.keeper = losses, corpus, seconds, keeper
        self.goes_on = True
        self.first = course.steps
        self.make_step: Callable[[], dict[str, Tensor]] = self._step
        pretraining.optimiser = optimiser

    def resume(self) -> None:
        self.step = self.first
        # A recorded step draws from the rows it was recorded with.
        drawn = self.corpus.recipe.garments + self.corpus.recipe.worlds
        self.corpus.wait(sys.maxsize if self.pretraining.graphs else min(4 * self.batch_size, drawn))
        self.began = time.monotonic()

    def rate(self, step: int) -> float:
        done = max(step / max(1, self.total), (time.monotonic() - self.began) / self.limit)
        warm = min(1.0, (step + 1) / self.pretraining.recipe.warmup)
        return warm * (0.02 + 0.98 * half_cosine(done))

    def is_over(self) -> bool:
        return time.monotonic() - self.began >= self.limit

    def advance(self) -> dict[str, Tensor]:
        if self.pretraining.graphs and self.step == self.first + WARM_STEPS:
            self.make_step = recorded(self._step)
        self.values = self.make_step()
        self.pretraining.average.update_parameters(self.pretraining.model)
        return {"loss": self.values["loss"]}

    def _step(self) -> dict[str, Tensor]:
        with self.autocast():
            parts, extra = self.losses()
            loss = torch.stack(list(parts.values())).sum()
        self.update(loss)
        return {name: value.detach() for name, value in {"loss": loss, **parts, **extra}.items()}

    def after_step(self, values: Mapping[str, float]) -> None:
        course = self.course
        course.steps = self.step
        if self.step % REPORT_STEPS == 0 or self.step == self.total:
            self.corpus.refresh()
            course.pictures, course.seconds = self.step * self.batch_size, time.monotonic() - self.began
            pace = 1000 * course.seconds / (self.step - self.first)
            entry = {name: float(value) for name, value in self.values.items()}
            course.curve.append({"step": self.step, "seconds": round(course.seconds, 1), "ms": round(pace, 1), **entry})
            self.keeper.report(course)

    def save(self) -> None:
        self.keeper.save_state(self.course)


def restore_moments(optimiser: torch.optim.Optimizer, moments: dict[str, Tensor]) -> None:
    """Put moments named `optimiser.<parameter>.<moment>` (state.py) into a fresh optimiser over the same parameters."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in moments.items():
        _, index, moment = name.split(".")
        state.setdefault(int(index), {})[moment] = value
    optimiser.load_state_dict(optimiser.state_dict() | {"state": state})


def _optimiser(groups: list[tuple[list[tuple[str, nn.Parameter]], float]], recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW of (named parameters, peak rate) groups; matrices decay, vectors and embeddings do not."""
    options: list[dict[str, Any]] = []
    for named, peak in groups:
        decayed = [
            p
            for name, p in named
            if p.ndim > 1 and "embed" not in name and "shared" not in name and "token" not in name
        ]
        numbers = {id(p) for p in decayed}
        others = [p for _, p in named if id(p) not in numbers]
        options.append({"params": decayed, "weight_decay": recipe.weight_decay, "lr": peak})
        options.append({"params": others, "weight_decay": 0.0, "lr": peak})
    device = groups[0][0][0][1].device
    if device.type != "cuda":
        return torch.optim.AdamW(options, betas=(0.9, 0.98), eps=1e-6)
    for option in options:  # a tensor each: a recorded step reads the rate of the moment from it
        option["lr"] = torch.tensor(option["lr"], device=device)
    return torch.optim.AdamW(options, betas=(0.9, 0.98), eps=1e-6, fused=True, capturable=True)


def recorded(step: Callable[[], dict[str, Tensor]]) -> Callable[[], dict[str, Tensor]]:
    """A training step as one CUDA graph: a small model's step is thousands of kernels of a few microseconds, and starting
    them one by one took five times as long as running them.

    Raises:
        CannotRecord: the step waits for the device somewhere, or its memory is not enough.
    """
    try:
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
            values = step()
        torch.cuda.synchronize()
    except RuntimeError as error:
        raise CannotRecord(str(error)) from error

    def replay() -> dict[str, Tensor]:
        graph.replay()
        return values

    return replay


def mean_answer_loss(
    model: Blip2ForConditionalGeneration, tokens: Tensor, questions: Tensor, answers: Tensor
) -> Tensor:
    """Cross-entropy per answer token (0 pads); as `language.answer_loss`, but of fixed shapes that never wait for the device."""
    lm: Any = model.language_model
    read = encode(lm, tokens, questions, questions != 0, padded=True)
    inputs = functional.pad(answers[:, :-1], (1, 0), value=lm.config.decoder_start_token_id)
    steps = torch.arange(answers.shape[1], device=answers.device)
    hidden = decode(lm, inputs, steps, steps[None, :] <= steps[:, None], read)
    logits = lm.lm_head(hidden).float()
    return functional.cross_entropy(logits.flatten(0, 1), answers.flatten(), ignore_index=0)
