"""Continuing a base on another world of pictures: photographs, with the coarse columns their catalogue gives.

Belongs here: training image half and language model together on coarse questions, saving the result as a base of its
own. Not here: pre-training from nothing (pretraining/), adapters (lora.py).

`tiny` was made on drawings; before LoRA asks it about photographs it has to learn to see them. All weights move, at
low rates.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
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
from training.blip2.answers import pad_right
from training.blip2.augmentation import random_views, source_size
from training.blip2.base import Base, load_base, save_base
from training.blip2.examples import Examples, make_examples
from training.blip2.features import see
from training.blip2.language import answer_loss, image_tokens
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
    pictures: Mapping[str, str],
    settings: ContinuationSettings,
    out: Path,
    reporter: Reporter,
) -> Base:
    """Train all of a base on coarse questions and return it, loaded from `out`.

    Args:
        base: is changed in memory; use the returned one.
        pairs: columns image_sha256, split, attribute, question, answer; only training rows are used.
        pictures: sha256 to uri of their files.
        out: folder of the new base; a checkpoint lies beside it until it is finished.

    Raises:
        TrainingStopped: SIGTERM or Ctrl-C; run again to go on.
        SelvedgeError: no training pairs, an unreadable picture, or a loss that is not finite.
    """
    training = pairs[(pairs["split"] == "train") & pairs["image_sha256"].isin(list(pictures))]
    if training.empty:
        raise SelvedgeError("continuation: no training pair on the coarse columns; set continue_on_coarse to false.")
    selected = _choose_pictures(training, settings.pictures)
    training = training[training["image_sha256"].isin(selected)]
    run = _run_digest(base, training, settings)
    if _is_finished(out, run):
        return load_base(out, device=base.device)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    squares = _load_squares(base, selected, pictures, reporter)
    checkpoint = out.parent / f"{out.name}-checkpoint"
    continuation = _Continuation(base, make_examples(base, training), squares, settings, reporter, checkpoint, run)
    base.model.train()
    continuation.train()
    base.model.requires_grad_(False).eval()
    recipe = {
        "run": run,
        "continued_from": base.identity,
        "pictures": len(selected),
        "questions": sorted(training["question"].unique())[:50],
        "settings": asdict(settings),
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
        squares: dict[str, Tensor],
        settings: ContinuationSettings,
        reporter: Reporter,
        checkpoint: Path,
        run: str,
    ):
        self.base, self.examples, self.squares, self.settings = base, examples, squares, settings
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
        pairs = [(position, row) for position, sha256 in enumerate(drawn) for row in self.pairs_of[sha256]]
        pictures = torch.tensor([position for position, _ in pairs], device=self.device)
        question, mask = pad_right([self.examples.prompts[row] for _, row in pairs], 0, self.device)
        labels, real = pad_right([self.examples.answers[row] for _, row in pairs], 0, self.device)
        with self.autocast():
            seen = see(self.base.model, self.base.preprocessing.normalised(squares.numpy()).to(self.device))
            tokens = image_tokens(self.base.model, seen)[pictures]
            summed, words = answer_loss(self.base.model, tokens, question, mask, labels.masked_fill(~real, -100))
        return self.update(summed / words)

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


def _run_digest(base: Base, training: pd.DataFrame, settings: ContinuationSettings) -> str:
    rows = pd.util.hash_pandas_object(training[["image_sha256", "question", "answer"]], index=False).to_numpy()
    about = json.dumps([base.digest, asdict(settings) | {"threads": None}], sort_keys=True)
    return hashlib.sha256(about.encode() + np.sort(rows).tobytes()).hexdigest()


def _is_finished(out: Path, run: str) -> bool:
    if not (out / "selvedge.json").is_file():
        return False
    recipe: Mapping[str, Any] = load_base(out).recipe
    return recipe.get("run") == run
