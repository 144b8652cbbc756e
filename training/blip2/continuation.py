"""Continuing a base on another world of pictures: photographs, with the coarse columns their catalogue gives.

Belongs here: training image half and language model together on coarse questions, saving the result as a base of its
own. Not here: pre-training from nothing (pretraining/), adapters (lora.py).

`tiny` was made on drawings; before LoRA asks it about photographs it has to learn to see them. All weights move, at
low rates.
"""

import hashlib
import json
import math
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

from catalog.errors import SelvedgeError
from training.blip2.answers import pad_right
from training.blip2.augmentation import random_views, source_size
from training.blip2.base import Base, load_base, save_base
from training.blip2.examples import Examples, make_examples
from training.blip2.features import see
from training.blip2.language import answer_loss, image_tokens
from training.blip2.settings import ContinuationSettings
from training.checkpoint import read_checkpoint, write_checkpoint
from training.pictures import read_picture
from training.reporting import Reporter
from training.stopping import TrainingStopped, stop_requests

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
    chosen = _choose_pictures(training, settings.pictures)
    training = training[training["image_sha256"].isin(chosen)]
    run = _run_digest(base, training, settings)
    if _is_finished(out, run):
        return load_base(out, device=base.device)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    loop = _Loop(base, make_examples(base, training), _load_squares(base, chosen, pictures, reporter), settings, run)
    checkpoint = out.parent / f"{out.name}-checkpoint"
    loop.train(checkpoint, reporter)
    recipe = {
        "run": run,
        "continued_from": base.identity,
        "pictures": len(chosen),
        "questions": sorted(training["question"].unique())[:50],
        "settings": asdict(settings),
        "base_recipe": dict(base.recipe),
    }
    card = CARD.format(
        profile=base.profile.name,
        digest=base.digest,
        pictures=len(chosen),
        attributes=", ".join(sorted(training["attribute"].unique())),
    )
    save_base(out, base.model, base.tokenizer, base.preprocessing, base.prompt, recipe, profile=base.profile, card=card)
    shutil.rmtree(checkpoint, ignore_errors=True)
    return load_base(out, device=base.device)


class _Loop:
    """One continuation: pictures in memory, pairs by picture, the model being changed."""

    def __init__(
        self, base: Base, examples: Examples, squares: dict[str, Tensor], settings: ContinuationSettings, run: str
    ):
        self.base, self.examples, self.squares, self.settings, self.run = base, examples, squares, settings, run
        self.pairs_of: dict[str, list[int]] = {}
        for row, sha256 in enumerate(examples.images):
            self.pairs_of.setdefault(sha256, []).append(row)
        self.names = list(self.pairs_of)
        model = base.model.requires_grad_(True)
        self.parameters = dict(model.named_parameters())
        language = [p for name, p in self.parameters.items() if name.startswith("language")]
        image = [p for name, p in self.parameters.items() if not name.startswith("language")]
        groups = [{"params": image, "peak": settings.image_rate}, {"params": language, "peak": settings.language_rate}]
        self.optimiser = torch.optim.AdamW(groups, weight_decay=settings.weight_decay)
        self.step = 0

    def train(self, checkpoint: Path, reporter: Reporter) -> None:
        settings, total = self.settings, self.settings.steps
        saved = read_checkpoint(checkpoint, self.run, self.parameters, self.optimiser)
        if saved is not None:
            self.step = int(saved[0]["step"])
        self.base.model.train()
        with stop_requests() as stop:
            while self.step < total:
                loss = self._step()
                self.step += 1
                if self.step % REPORT_EVERY == 0:
                    reporter.metrics(self.step, {"continuation/loss": loss})
                    reporter.progress(self.step, total, "continuing the base")
                if stop or (self.step % settings.checkpoint_every == 0 and self.step < total):
                    write_checkpoint(checkpoint, self.parameters, self.optimiser, {"run": self.run, "step": self.step})
                if stop:
                    raise TrainingStopped(
                        f"continuation was stopped at step {self.step} of {total}; run it again to go on."
                    )
        self.base.model.requires_grad_(False).eval()

    def _step(self) -> float:
        settings, device = self.settings, self.base.device
        done = max(0.0, (self.step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps))
        share = min((self.step + 1) / max(1, settings.warmup_steps), 0.5 * (1 + math.cos(math.pi * done)))
        for group in self.optimiser.param_groups:
            group["lr"] = group["peak"] * share
        # Everything drawn in a step depends on its number only, so that a stopped run goes on as if it never stopped.
        rng = np.random.default_rng([settings.seed, self.step])
        chosen = [
            self.names[i] for i in rng.choice(len(self.names), min(settings.batch_size, len(self.names)), replace=False)
        ]
        generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + self.step)
        squares = random_views(
            torch.stack([self.squares[sha256] for sha256 in chosen]), self.base.preprocessing.size, generator
        )
        rows = [(place, row) for place, sha256 in enumerate(chosen) for row in self.pairs_of[sha256]]
        places = torch.tensor([place for place, _ in rows], device=device)
        question, mask = pad_right([self.examples.prompts[row] for _, row in rows], 0, device)
        labels, real = pad_right([self.examples.answers[row] for _, row in rows], 0, device)
        with torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bf16"):
            seen = see(self.base.model, self.base.preprocessing.normalised(squares.numpy()).to(device))
            tokens = image_tokens(self.base.model, seen)[places]
            summed, count = answer_loss(self.base.model, tokens, question, mask, labels.masked_fill(~real, -100))
        loss = summed / count
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters.values(), settings.clip_norm)
        value = float(loss.detach())
        if not (math.isfinite(value) and math.isfinite(float(norm))):
            raise SelvedgeError(
                f"continuation: the loss became {value} at step {self.step + 1}; nothing was kept; "
                "lower continuation.image_rate."
            )
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return value


def _choose_pictures(training: pd.DataFrame, most: int) -> list[str]:
    """At most `most` pictures, the same ones every time: sha256 is as good as random."""
    return sorted(training["image_sha256"].unique())[:most]


def _load_squares(base: Base, chosen: list[str], pictures: Mapping[str, str], reporter: Reporter) -> dict[str, Tensor]:
    larger = replace(base.preprocessing, size=source_size(base.preprocessing))

    def load(sha256: str) -> Tensor:
        return torch.from_numpy(larger.square(read_picture(pictures[sha256], sha256)).copy())

    squares: dict[str, Tensor] = {}
    with ThreadPoolExecutor(max_workers=4) as pool:
        for sha256, square in zip(chosen, pool.map(load, chosen), strict=True):
            squares[sha256] = square
            if len(squares) % 200 == 0:
                reporter.progress(len(squares), len(chosen), "reading pictures")
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
