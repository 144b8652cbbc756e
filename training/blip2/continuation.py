"""Continuing a base on another world of pictures: photographs, with all that their catalogue says of them.

Belongs here: training image half and language model together on a catalogue's questions, saving the result as a base of
its own. Not here: pre-training from nothing (pretraining/), adapters (lora.py).

`tiny` was made on drawings; before LoRA asks it about photographs it has to learn to see them. All weights move, at
low rates. LoRA leaves the image half as it is, so what this half is to see (colours of real cloth) is taught here: on
master category and gender alone it forgets the colours that it knew.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from catalog.catalogued_pictures import read_picture
from catalog.errors import SelvedgeError
from catalog.schema import AttributeSchema
from training.blip2.answers import AnswerTrie, Choices, answer_tries, pad_right
from training.blip2.augmentation import random_views, source_size
from training.blip2.base import Base, load_base, save_base
from training.blip2.examples import Examples, choose_answers, make_examples
from training.blip2.features import see
from training.blip2.fork_loss import LOSS, fork_loss, gather_forks
from training.blip2.language import image_tokens
from training.blip2.settings import ContinuationSettings
from training.devices import choose_precision
from training.driver import TrainingRun, warm_up_then_cosine
from training.reporting import Reporter

REPORT_EVERY = 10
CARD = """# {profile}, continued

Continued from base `{digest}` on {pictures} pictures of one catalogue, on these questions: {attributes}. Made by
`training/blip2/continuation.py`; settings in `recipe.yaml`. Derived from that catalogue's pictures: their licence
applies, and this folder does not belong among the weights that ship with the project.
"""


def continue_base(
    base: Base,
    pairs: pd.DataFrame,
    schema: AttributeSchema,
    pictures: Mapping[str, str],
    settings: ContinuationSettings,
    out: Path,
    reporter: Reporter,
) -> Base:
    """Train all of a base on a catalogue's questions and return it, loaded from `out`.

    Args:
        base: is changed in memory; use the returned one.
        pairs: columns image_sha256, split, attribute, question, answer; only training rows are used.
        schema: whose vocabularies are the allowed answers.
        pictures: sha256 to uri of their files.
        out: folder of the new base; a checkpoint lies beside it until it is finished.

    Raises:
        TrainingStopped: SIGTERM or Ctrl-C; run again to go on.
        SelvedgeError: no training pairs, an unreadable picture, or a loss that is not finite.
    """
    training = pairs[(pairs["split"] == "train") & pairs["image_sha256"].isin(list(pictures))]
    if training.empty:
        raise SelvedgeError("continuation: no training pair; set continue_base to false.")
    selected = _choose_pictures(training, settings.pictures)
    training = training[training["image_sha256"].isin(selected)]
    tries = answer_tries(schema, base)
    run = _run_digest(base, training, tries, settings)
    if _is_finished(out, run):
        return load_base(out, device=base.device)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    squares = _load_squares(base, selected, pictures, reporter)
    checkpoint = out.parent / f"{out.name}-checkpoint"
    examples = make_examples(base, training)
    choices = choose_answers(examples, tries)
    continuation = _Continuation(base, examples, choices, squares, settings, reporter, checkpoint, run)
    base.model.train()
    continuation.train()
    base.model.requires_grad_(False).eval()
    recipe = {
        "run": run,
        "continued_from": base.identity,
        "pictures": len(selected),
        "questions": sorted(training["question"].unique())[:50],
        "settings": asdict(settings),
        "loss": LOSS,
        "base_recipe": dict(base.recipe),
    }
    card = CARD.format(
        profile=base.profile.name,
        digest=base.digest,
        pictures=len(selected),
        attributes=", ".join(sorted(training["attribute"].unique())),
    )
    save_base(out, base.model, base.tokenizer, base.preprocessing, base.prompt, recipe, profile=base.profile, card=card)
    shutil.rmtree(checkpoint, ignore_errors=True)
    return load_base(out, device=base.device)


class _Continuation(TrainingRun):
    """One continuation: pictures in memory, pairs by picture, the model being changed."""

    name = "continuation"
    remedy = "lower continuation.image_rate"

    def __init__(
        self,
        base: Base,
        examples: Examples,
        choices: Sequence[Choices],
        squares: dict[str, Tensor],
        settings: ContinuationSettings,
        reporter: Reporter,
        checkpoint: Path,
        run: str,
    ):
        self.base, self.examples, self.choices = base, examples, choices
        self.squares, self.settings = squares, settings
        self.pairs_of: dict[str, list[int]] = {}
        for row, sha256 in enumerate(examples.images):
            self.pairs_of.setdefault(sha256, []).append(row)
        self.names = list(self.pairs_of)
        parameters = dict(base.model.requires_grad_(True).named_parameters())
        language = [p for name, p in parameters.items() if name.startswith("language")]
        image = [p for name, p in parameters.items() if not name.startswith("language")]
        groups = [{"params": image, "lr": settings.image_rate}, {"params": language, "lr": settings.language_rate}]
        super().__init__(
            settings.steps,
            torch.optim.AdamW(groups, weight_decay=settings.weight_decay),
            parameters,
            reporter,
            device=base.device,
            precision=choose_precision(settings.precision, base.device),
            clip_norm=settings.clip_norm,
            checkpoint=checkpoint,
            run=run,
            checkpoint_every=settings.checkpoint_every,
        )

    def rate(self, step: int) -> float:
        return warm_up_then_cosine(step, self.settings.warmup_steps, self.settings.steps)

    def advance(self) -> dict[str, Tensor]:
        # Everything drawn in a step depends on its number only, so that a stopped run goes on as if it never stopped.
        rng = np.random.default_rng([self.settings.seed, self.step])
        count = min(self.settings.batch_size, len(self.names))
        drawn = [self.names[i] for i in rng.choice(len(self.names), count, replace=False)]
        generator = torch.Generator().manual_seed(self.settings.seed * 1_000_003 + self.step)
        squares = random_views(
            torch.stack([self.squares[sha256] for sha256 in drawn]), self.base.preprocessing.size, generator
        )
        pairs = [
            (position, row)
            for position, sha256 in enumerate(drawn)
            for row in rng.permutation(self.pairs_of[sha256])[: self.settings.questions]
        ]
        pictures = torch.tensor([position for position, _ in pairs], device=self.device)
        question, mask = pad_right([self.examples.prompts[row] for _, row in pairs], 0, self.device)
        forks = gather_forks([self.choices[row] for _, row in pairs], self.device)
        with self.autocast():
            seen = see(self.base.model, self.base.preprocessing.normalised(squares.numpy()).to(self.device))
            tokens = image_tokens(self.base.model, seen)[pictures]
            summed = fork_loss(self.base.model, tokens, question, mask, forks)
        return self.update(summed / len(pairs))

    def after_step(self, values: Mapping[str, float]) -> None:
        if self.step % REPORT_EVERY == 0:
            self.reporter.metrics(self.step, {"continuation/loss": values["loss"]})
            self.reporter.progress(self.step, self.total, "continuing the base")


def _choose_pictures(training: pd.DataFrame, most: int) -> list[str]:
    """At most `most` pictures, the same ones every time: sha256 is as good as random."""
    return sorted(training["image_sha256"].unique())[:most]


def _load_squares(
    base: Base, selected: list[str], pictures: Mapping[str, str], reporter: Reporter
) -> dict[str, Tensor]:
    larger = replace(base.preprocessing, size=source_size(base.preprocessing))

    def load(sha256: str) -> Tensor:
        return torch.from_numpy(larger.square(read_picture(pictures[sha256], sha256)).copy())

    squares: dict[str, Tensor] = {}
    with ThreadPoolExecutor(max_workers=4) as pool:
        for sha256, square in zip(selected, pool.map(load, selected), strict=True):
            squares[sha256] = square
            if len(squares) % 200 == 0:
                reporter.progress(len(squares), len(selected), "reading pictures")
    return squares


def _run_digest(
    base: Base, training: pd.DataFrame, tries: Mapping[str, AnswerTrie], settings: ContinuationSettings
) -> str:
    rows = pd.util.hash_pandas_object(training[["image_sha256", "question", "answer"]], index=False).to_numpy()
    allowed = {name: trie.answers for name, trie in tries.items()}
    about = json.dumps([base.digest, asdict(settings) | {"threads": None}, LOSS, allowed], sort_keys=True)
    return hashlib.sha256(about.encode() + np.sort(rows).tobytes()).hexdigest()


def _is_finished(out: Path, run: str) -> bool:
    if not (out / "selvedge.json").is_file():
        return False
    recipe: Mapping[str, Any] = load_base(out).recipe
    return recipe.get("run") == run
