"""Question and answer pairs as batches of token ids, and the order in which training meets them.

Belongs here: tokenising once, sampling, checking that validation shares no group with training.
Not here: making the pairs (catalog/qa.py), the features they point to (features.py).
"""

import hashlib
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from catalog.errors import SelvedgeError
from training.blip2.answers import AnswerTrie, Choices, PictureQuestion, pad_right
from training.blip2.base import Base
from training.blip2.features import FeatureStore
from training.blip2.fork_loss import Forks, gather_forks
from training.blip2.settings import LoraSettings
from training.blip2.tokenizer import encode_prompt

COLUMNS = ("image_sha256", "group_id", "split", "attribute", "question", "answer")


@dataclass(frozen=True)
class Examples:
    """Pairs with their questions tokenised, one entry per pair.

    Attributes:
        images: sha256 of each pair's picture.
        prompts: token ids of the questions.
        attributes, questions, answers: the words.
    """

    images: list[str]
    prompts: list[list[int]]
    attributes: list[str]
    questions: list[str]
    answers: list[str]

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class QuestionBatch:
    """What one step reads. `mask` is True at real question tokens; `forks` are those on the way to the answers."""

    features: Tensor
    question: Tensor
    mask: Tensor
    forks: Forks


def make_examples(base: Base, pairs: pd.DataFrame) -> Examples:
    """Tokenise the questions of pairs (columns `COLUMNS`); every distinct text once."""
    prompts = {text: encode_prompt(base.tokenizer, base.prompt.text(text)) for text in pairs["question"].unique()}
    return Examples(
        images=pairs["image_sha256"].tolist(),
        prompts=[prompts[text] for text in pairs["question"]],
        attributes=pairs["attribute"].tolist(),
        questions=pairs["question"].tolist(),
        answers=pairs["answer"].tolist(),
    )


def split_pairs(pairs: pd.DataFrame, validation_questions: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(training pairs, a fixed subset of validation pairs made of whole groups).

    Raises:
        SelvedgeError: a column is missing, a part is empty, or a group is on both sides.
    """
    missing = [name for name in COLUMNS if name not in pairs]
    if missing:
        raise SelvedgeError(f"Q&A pairs lack the columns {missing}; join them with the images table first.")
    training, validation = pairs[pairs["split"] == "train"], pairs[pairs["split"] == "validation"]
    if training.empty or validation.empty:
        raise SelvedgeError(
            f"Q&A pairs hold {len(training)} training and {len(validation)} validation rows; both are needed, "
            "so read a larger catalogue or one with more attributes."
        )
    shared = set(training["group_id"]) & set(validation["group_id"])
    if shared:
        raise SelvedgeError(f"group {sorted(shared)[0]} is in training and in validation; assign the splits again.")
    # Groups in an order that has nothing to do with their names, the same in every run.
    order = sorted(validation["group_id"].unique(), key=lambda g: hashlib.sha256(str(g).encode()).digest())
    sizes = validation["group_id"].value_counts()
    taken = np.cumsum([sizes[group] for group in order])
    count = max(1, int(np.searchsorted(taken, validation_questions, side="right")))
    return training, validation[validation["group_id"].isin(order[:count])]


def choose_answers(examples: Examples, tries: Mapping[str, AnswerTrie]) -> list[Choices]:
    """What has to be chosen on the way to every pair's answer.

    Raises:
        SelvedgeError: an answer that its attribute's tree does not hold.
    """
    for attribute, answer in zip(examples.attributes, examples.answers, strict=True):
        if attribute not in tries or answer not in tries[attribute].choices:
            raise SelvedgeError(
                f"Q&A pairs give the answer '{answer}', which the attribute schema does not allow; "
                "make the pairs and the schema from the same tables."
            )
    return [
        tries[attribute].choices[answer]
        for attribute, answer in zip(examples.attributes, examples.answers, strict=True)
    ]


def draw_weights(examples: Examples, balance: float) -> np.ndarray | None:
    """(n,) float64 sampling weights, or None for all alike.

    Within an attribute a pair weighs 1 / count(value) ** balance; attributes keep the share of the draws they have.
    """
    if balance == 0:
        return None
    frame = pd.DataFrame({"attribute": examples.attributes, "answer": examples.answers})
    counts = frame.groupby(["attribute", "answer"])["answer"].transform("size").to_numpy()
    weights = counts.astype(np.float64) ** -balance
    totals = pd.Series(weights).groupby(frame["attribute"]).transform("sum").to_numpy()
    share = frame.groupby("attribute")["answer"].transform("size").to_numpy() / len(frame)
    return weights / totals * share


def epoch_batches(
    count: int, batch_size: int, views: int, weights: np.ndarray | None, seed: int, epoch: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(rows, views) of every batch of an epoch; a function of its arguments only, so that a run can resume inside it.

    Not bucketed by length: lengths differ by attribute, so a bucketed batch asks one question only, and the adapter
    swings from one attribute to the next (measured: accuracy on colours stayed at chance).
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(count) if weights is None else rng.choice(count, size=count, p=weights / weights.sum())
    for start in range(0, count, batch_size):
        rows = order[start : start + batch_size]
        yield rows, rng.integers(0, views, size=len(rows))


def lora_batches(
    count: int, settings: LoraSettings, weights: np.ndarray | None, step: int = 0
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(rows, views) of each step from `step` on, epoch after epoch without an end."""
    epoch, done = divmod(step, batches_per_epoch(count, settings.batch_size))
    for number in itertools.count(epoch):
        batches = epoch_batches(count, settings.batch_size, settings.views, weights, settings.seed, number)
        yield from itertools.islice(batches, done if number == epoch else 0, None)


def batches_per_epoch(count: int, batch_size: int) -> int:
    return math.ceil(count / batch_size)


def assemble(
    examples: Examples,
    choices: Sequence[Choices],
    rows: np.ndarray,
    views: np.ndarray,
    store: FeatureStore,
    device: torch.device,
) -> QuestionBatch:
    """Read features and pad tokens of some pairs; `choices` has one entry per pair, from `choose_answers`."""
    features = store.read([examples.images[row] for row in rows], views.tolist())
    question, mask = pad_right([examples.prompts[row] for row in rows], 0, device)
    forks = gather_forks([choices[row] for row in rows], device)
    return QuestionBatch(features.to(device, non_blocking=True), question, mask, forks)


def ask_examples(examples: Examples, tries: Mapping[str, AnswerTrie]) -> list[PictureQuestion]:
    """The pairs as questions with closed vocabularies; question i is about row i of the features."""
    return [
        PictureQuestion(row, question, tries[attribute])
        for row, (question, attribute) in enumerate(zip(examples.questions, examples.attributes, strict=True))
    ]
