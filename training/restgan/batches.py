"""Batches: which pictures a step sees, how far it reads their words, and in which order.

Belongs here: everything random about the training data, as a function of (seed, step). Not here: noise of the
generator (generator.py), what the words are (words.py).

A step's batch follows from its number alone, so a resumed run sees what an undisturbed one would have seen.

Prefixes: each example is read up to a place drawn evenly from 1 to its length. Order: for a share of the examples the
places are shuffled first. No place is special, the head noun neither: a shopper may add any word last, and a prefix
mentions what its own places say. A colour of two words is one place and stays whole. An attribute counts as said at
the place where the unshuffled words said it first.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from catalog.errors import SelvedgeError
from training.restgan.dataset import Bottoms
from training.restgan.words import PAD, UNKNOWN


@dataclass(frozen=True)
class Batch:
    """What one step sees.

    Attributes:
        pictures: (n, 3, side, side) float32 in [-1, 1], for every stage.
        words, colour_words: (n, L) int64, as in `Bottoms`, in the order of this step.
        lengths: (n,) int64, of the prefix in use. labels: (n, 3) int64. mentioned: (n, 3) bool, by that prefix.
    """

    pictures: list[Tensor]
    words: Tensor
    colour_words: Tensor
    lengths: Tensor
    labels: Tensor
    mentioned: Tensor


class Batches:
    """The training rows of a data set, ready to be drawn from.

    Args:
        sides: of the stages' pictures; each must divide the side of the data set's.

    Raises:
        SelvedgeError: too few rows for one batch, or pictures that are too small.
    """

    def __init__(self, bottoms: Bottoms, sides: tuple[int, ...], batch_size: int, seed: int) -> None:
        if len(bottoms.pictures) < batch_size:
            raise SelvedgeError(
                f"the training part has {len(bottoms.pictures)} bottoms, less than one batch of {batch_size}; "
                "lower restgan.batch_size or read a larger catalogue."
            )
        self.bottoms, self.batch_size, self.seed = bottoms, batch_size, seed
        self.pictures = [scaled(bottoms.pictures, side) for side in sides]
        self.an_epoch = len(bottoms.pictures) // batch_size

    def at(self, step: int, shuffled: float, unknown: float, device: torch.device) -> Batch:
        """The batch of a step, counted from 0.

        Args:
            shuffled, unknown: shares, as in the settings.
        """
        epoch, position = divmod(step, self.an_epoch)
        order = np.random.default_rng([self.seed, 1, epoch]).permutation(len(self.bottoms.pictures))
        rows = order[position * self.batch_size : (position + 1) * self.batch_size]
        rng = np.random.default_rng([self.seed, 2, step])
        bottoms = self.bottoms
        arrays = bottoms.words, bottoms.colour_words, bottoms.lengths, bottoms.mentioned
        sequences = Sequences(*(array[rows] for array in arrays))
        sequences = replace_silent(shuffle(sequences, shuffled, rng), unknown, rng)
        lengths = rng.integers(1, sequences.lengths + 1)
        mentioned = sequences.mentioned[np.arange(len(rows)), lengths - 1]

        def tensor(array: np.ndarray) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(device)

        pictures = [side[torch.from_numpy(rows)].to(device).float().div(127.5).sub(1) for side in self.pictures]
        return Batch(
            pictures,
            tensor(sequences.words),
            tensor(sequences.colour_words),
            tensor(lengths),
            tensor(bottoms.labels[rows]),
            tensor(mentioned),
        )


@dataclass(frozen=True)
class Sequences:
    """Word sequences, as in `Bottoms`: words, colour_words (n, L), lengths (n,), mentioned (n, L, 3)."""

    words: np.ndarray
    colour_words: np.ndarray
    lengths: np.ndarray
    mentioned: np.ndarray

    @property
    def said_here(self) -> np.ndarray:
        """(n, L, 3) bool: the attribute is first said at this very place."""
        before = np.concatenate([np.zeros_like(self.mentioned[:, :1]), self.mentioned[:, :-1]], axis=1)
        return self.mentioned & ~before


def shuffle(sequences: Sequences, share: float, rng: np.random.Generator) -> Sequences:
    """The places of a share of the sequences in another order, each order equally likely; padding stays at the end."""
    n, longest = sequences.words.shape
    shuffled = rng.random(n) < share
    keys = np.where(shuffled[:, None], rng.random((n, longest)), np.arange(longest)[None].astype(float))
    keys[np.arange(longest)[None] >= sequences.lengths[:, None]] = np.inf
    order = np.argsort(keys, axis=1, kind="stable")
    said = np.take_along_axis(sequences.said_here, order[:, :, None], axis=1)
    return Sequences(
        np.take_along_axis(sequences.words, order, axis=1),
        np.take_along_axis(sequences.colour_words, order, axis=1),
        sequences.lengths,
        np.logical_or.accumulate(said, axis=1),
    )


def replace_silent(sequences: Sequences, share: float, rng: np.random.Generator) -> Sequences:
    """A share of the words that say nothing about an attribute, replaced by the unknown word.

    In use it is drawn where nothing is known yet; a model that knows all its training words would never have met it.
    """
    silent = ~sequences.said_here.any(axis=2) & (sequences.colour_words < 0) & (sequences.words != PAD)
    gone = silent & (rng.random(silent.shape) < share)
    words = np.where(gone, UNKNOWN, sequences.words)
    return Sequences(words, sequences.colour_words, sequences.lengths, sequences.mentioned)


def scaled(pictures: np.ndarray, side: int) -> Tensor:
    """(N, 3, side, side) uint8 of (N, S, S, 3) uint8, each pixel the rounded mean of the square it covers.

    Raises:
        SelvedgeError: S is no multiple of `side`.
    """
    n, height = pictures.shape[:2]
    factor, rest = divmod(height, side)
    if rest or not factor:
        raise SelvedgeError(
            f"the bottoms are {height} pixels wide, which is no multiple of {side}; "
            "build them at the side of the last stage, or set restgan.size."
        )
    parts = []
    for start in range(0, n, 1024):
        squares = pictures[start : start + 1024].reshape(-1, side, factor, side, factor, 3)
        parts.append(np.rint(squares.mean(axis=(2, 4), dtype=np.float32)).astype(np.uint8))
    return torch.from_numpy(np.concatenate(parts).transpose(0, 3, 1, 2).copy())
