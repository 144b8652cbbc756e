"""The two stages: first the image half against text it can be held to, then the language model on many kinds of question.

Belongs here: the loops, their losses, rates, running average and stopping by the clock.
Not here: the corpus, the heads, what is saved when (__main__.py).

Unlike the paper, nothing starts from published weights, so nothing is frozen: stage 2 goes on training the image half at a lower
rate, with the phrase and part losses of stage 1 keeping what it has learnt.
"""

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import Blip2ForConditionalGeneration

from catalog.errors import SelvedgeError
from training.blip2.language import answer_loss, decode, encode, image_tokens
from training.blip2.preprocessing import Preprocessing
from training.blip2.pretraining.augmentation import augment
from training.blip2.pretraining.corpus import Batch, Corpus
from training.blip2.pretraining.heads import Readouts, TextSide
from training.blip2.pretraining.pictures import QUESTION_KINDS
from training.blip2.pretraining.recipe import Recipe

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
        self.average = [parameter.detach().clone() for parameter in model.parameters()]
        self.averaged_steps = 0
        self.graphs = graphs and device.type == "cuda"
        self.optimiser: torch.optim.Optimizer | None = None
        self.moments: dict[str, Tensor] = {}  # of a loaded state, waiting for the optimiser they belong to

    def stage1(self, corpus: Corpus, seconds: float, report: Callable[[Course], None], first: int = 0) -> Course:
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
        optimiser = _optimiser([(named, 1.0)], recipe)

        def losses() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
            batch = corpus.batch(recipe.stage1_batch, 1)
            patches, queries, cells = self._see(batch)
            parts = self.text.losses(queries, batch.captions)
            kept, right = self._kept(patches, queries, cells, batch)
            weights = {"contrast": recipe.contrast_weight, "match": recipe.match_weight, "caption": recipe.caption_weight,
                       "phrase": recipe.phrase_weight, "patch_phrase": recipe.patch_phrase_weight,
                       "parts": recipe.parts_weight, "colour": recipe.colour_weight}  # fmt: skip
            return {name: weights[name] * loss for name, loss in (parts | kept).items()}, right

        return self._run(
            1,
            recipe.stage1_steps,
            recipe.stage1_lr,
            recipe.stage1_batch,
            optimiser,
            losses,
            corpus,
            seconds,
            report,
            first,
        )

    def stage2(self, corpus: Corpus, seconds: float, report: Callable[[Course], None], first: int = 0) -> Course:
        """The language model on questions of many kinds, the image half following at a lower rate."""
        recipe = self.recipe
        language = [(name, p) for name, p in self.model.language_model.named_parameters()]
        language += list(self.model.language_projection.named_parameters()) + list(self.readouts.named_parameters())
        image = [*self.model.vision_model.named_parameters(), *self.model.qformer.named_parameters()]
        image.append(("query_tokens", self.model.query_tokens))
        optimiser = _optimiser([(language, 1.0), (image, recipe.vision_share)], recipe)

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

        return self._run(
            2,
            recipe.stage2_steps,
            recipe.stage2_lr,
            recipe.stage2_batch,
            optimiser,
            losses,
            corpus,
            seconds,
            report,
            first,
        )

    @torch.no_grad()
    def loss_by_kind(self, corpus: Corpus, batches: int = 6) -> dict[str, float]:
        """Answer loss per token of every kind of question, with the weights as they stand."""
        found: dict[str, list[tuple[float, int]]] = {}
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
                        found.setdefault(kind, []).append((float(total), int(count)))
        return {kind: sum(t for t, _ in pairs) / sum(c for _, c in pairs) for kind, pairs in found.items()}

    @contextmanager
    def averaged(self) -> Iterator[Blip2ForConditionalGeneration]:
        """The model with its running average in place of the last weights, for saving and probing."""
        held = [parameter.detach().clone() for parameter in self.model.parameters()]
        with torch.no_grad():
            for parameter, value in zip(self.model.parameters(), self.average, strict=True):
                parameter.copy_(value)
        self.model.eval()
        yield self.model
        with torch.no_grad():
            for parameter, value in zip(self.model.parameters(), held, strict=True):
                parameter.copy_(value)

    def _see(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
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
        self, patches: Tensor, queries: Tensor, cells: Tensor, batch: Batch
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        tokens = image_tokens(self.model, queries)
        phrase, right = self.readouts.phrase_loss(tokens, batch.phrases)
        patch_phrase, patch_right = self.readouts.patch_phrase_loss(patches, batch.phrases)
        colour, parts = self.readouts.colour_loss(tokens, batch.lab), self.readouts.parts_loss(patches, cells)
        losses = {"phrase": phrase, "patch_phrase": patch_phrase, "colour": colour, "parts": parts}
        return losses, {"phrases_right": right, "patch_phrases_right": patch_right}

    def _run(self, *arguments: Any) -> Course:
        """`_course` on a stream of its own, as recording wants it."""
        if self.device.type != "cuda":
            return self._course(*arguments)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            course = self._course(*arguments)
        torch.cuda.current_stream().wait_stream(stream)
        torch.cuda.synchronize()
        return course

    def _course(
        self, stage: int, steps: int, peak: float, pictures: int, optimiser: torch.optim.Optimizer,
        losses: Callable[[], tuple[dict[str, Tensor], dict[str, Tensor]]], corpus: Corpus, seconds: float,
        report: Callable[[Course], None], first: int,
    ) -> Course:  # fmt: skip
        """Until the steps are made or the clock runs out; the rate falls with whichever is further on."""
        course, start = Course(stage, first), time.monotonic()
        shares = [float(group["share"]) for group in optimiser.param_groups]
        self.optimiser = optimiser
        if self.moments:
            restore_moments(optimiser, self.moments)
            self.moments = {}
        self.model.train()
        trained = [p for group in optimiser.param_groups for p in group["params"]]

        def step() -> dict[str, Tensor]:
            optimiser.zero_grad(set_to_none=True)
            with torch.autocast(self.device.type, torch.bfloat16):
                parts, extra = losses()
                loss = torch.stack(list(parts.values())).sum()
            loss.backward()
            nn.utils.clip_grad_norm_(trained, self.recipe.clip)
            optimiser.step()
            return {name: value.detach() for name, value in {"loss": loss, **parts, **extra}.items()}

        # A recorded step draws from the rows it was recorded with.
        corpus.wait(
            min(4 * pictures, corpus.recipe.garments + corpus.recipe.worlds) if not self.graphs else sys.maxsize
        )
        start = time.monotonic()
        advance: Callable[[], dict[str, Tensor]] = step
        while course.steps < steps and (passed := time.monotonic() - start) < seconds:
            if self.graphs and course.steps == first + WARM_STEPS:
                advance = recorded(step)
            done = max(course.steps / steps, passed / seconds)
            warm = min(1.0, (course.steps + 1) / self.recipe.warmup)
            rate = peak * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))
            for group, share in zip(optimiser.param_groups, shares, strict=True):
                _set_rate(group, share * rate)
            values = advance()
            self._follow()
            course.steps += 1
            if course.steps % REPORT_STEPS == 0 or course.steps == steps:
                corpus.refresh()
                found = {name: float(value) for name, value in values.items()}
                course.pictures, course.seconds = course.steps * pictures, time.monotonic() - start
                if not math.isfinite(found["loss"]):
                    raise SelvedgeError(
                        f"pre-training stage {stage}: the loss is not finite at step {course.steps}; lower the rate."
                    )
                pace = 1000 * course.seconds / (course.steps - first)
                course.curve.append(
                    {"step": course.steps, "seconds": round(course.seconds, 1), "ms": round(pace, 1), **found}
                )
                report(course)
        return course

    @torch.no_grad()
    def _follow(self) -> None:
        self.averaged_steps += 1
        # A young average follows quickly, or it would hold on to random weights.
        decay = min(self.recipe.keep_average, (1 + self.averaged_steps) / (10 + self.averaged_steps))
        torch._foreach_lerp_(self.average, [p.detach() for p in self.model.parameters()], 1 - decay)


def restore_moments(optimiser: torch.optim.Optimizer, moments: dict[str, Tensor]) -> None:
    """Put moments named `optimiser.<parameter>.<moment>` (state.py) into a fresh optimiser over the same parameters."""
    found: dict[int, dict[str, Tensor]] = {}
    for name, value in moments.items():
        _, index, moment = name.split(".")
        found.setdefault(int(index), {})[moment] = value
    optimiser.load_state_dict(optimiser.state_dict() | {"state": found})


def _optimiser(groups: list[tuple[list[tuple[str, nn.Parameter]], float]], recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW; matrices decay, vectors and embeddings do not. Each group's `lr` holds its share of the peak rate."""
    options = []
    for named, share in groups:
        decayed = [
            p
            for name, p in named
            if p.ndim > 1 and "embed" not in name and "shared" not in name and "token" not in name
        ]
        chosen = {id(p) for p in decayed}
        others = [p for _, p in named if id(p) not in chosen]
        options.append({"params": decayed, "weight_decay": recipe.weight_decay, "share": share})
        options.append({"params": others, "weight_decay": 0.0, "share": share})
    first = groups[0][0][0][1]
    if not first.is_cuda:
        return torch.optim.AdamW(options, lr=1e-3, betas=(0.9, 0.98), eps=1e-6)
    for option in options:  # a tensor each: a recorded step reads the rate of the moment from it
        option["lr"] = torch.tensor(1e-3, device=first.device)
    return torch.optim.AdamW(options, betas=(0.9, 0.98), eps=1e-6, fused=True, capturable=True)


def _set_rate(group: dict[str, Any], rate: float) -> None:
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


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
