"""Text: from word ids to the state after every word, and from a state to the condition of a generator stage.

Belongs here: embeddings, the two readers (LSTM, mean), conditioning augmentation. Not here: which id a word has
(words.py), which colour it names (colours.py), the KL term (losses.py).

The readers go one word at a time as well as over whole sequences, so that one more word costs one step.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from training.restgan.settings import RestganSettings
from training.restgan.words import PAD, UNKNOWN

FIRST_LOG_VARIANCE = -2.0  # starts with a noise that does not yet drown the words


class State(NamedTuple):
    """Where a reader stands. LSTM: hidden and cell, (n, state) each; mean: sum (n, embedding) and count (n, 1)."""

    first: Tensor
    second: Tensor


class TextEncoder(nn.Module):
    """Words to a state of fixed width, read from left to right.

    Args:
        words: size of the vocabulary, padding and unknown word included.
        colour_features: (K, 3) float32, the feature of every colour cluster: CIELAB scaled to about [-1, 1].

    With the colour table, a colour word enters as a linear map of its cluster's feature, so that all words of a cluster
    are one, and near clusters are near. Without it, it is a word like any other. The mean is followed by a perceptron
    with as many parameters as the LSTM: the ladder compares readers, not sizes.

    Source: ours, after the description of ReStGAN (Surya et al., WACV 2020): an LSTM trained jointly with the GAN, and
    a lookup table that maps visually similar colours to the same text feature. The sizes were not published.
    """

    colour_features: Tensor

    def __init__(self, settings: RestganSettings, words: int, colour_features: Tensor) -> None:
        super().__init__()
        rung, width, state = settings.rung, settings.embedding, settings.state
        self.recurrent, self.width, self.state = rung.recurrent, width, state
        self.embedding = nn.Embedding(words, width, padding_idx=PAD)
        # An unknown word starts as one that says nothing.
        nn.init.zeros_(self.embedding.weight[UNKNOWN])
        self.colour = nn.Linear(colour_features.shape[1], width) if rung.colour_table else None
        self.register_buffer("colour_features", colour_features.float().clone())
        if rung.recurrent:
            self.cell = nn.LSTMCell(width, state)
        else:
            hidden = round(4 * state * (width + state + 2) / (width + state + 1))
            self.perceptron = nn.Sequential(nn.Linear(width, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, state))

    def embed(self, words: Tensor, colour_words: Tensor) -> Tensor:
        """(..., embedding) float32 of word ids and, where a word names a colour, its cluster (else -1); int64."""
        plain = self.embedding(words)
        if self.colour is None:
            return plain
        table = self.colour(self.colour_features)
        return torch.where((colour_words >= 0)[..., None], table[colour_words.clamp(min=0)], plain)

    def start(self, n: int) -> State:
        """Before the first word."""
        zeros = self.embedding.weight.new_zeros
        return (
            State(zeros(n, self.state), zeros(n, self.state))
            if self.recurrent
            else State(zeros(n, self.width), zeros(n, 1))
        )

    def step(self, before: State, words: Tensor, colour_words: Tensor) -> tuple[State, Tensor]:
        """One more word: the new state, and (n, state) float32 in [-1, 1] that the generator and discriminators read.

        Args:
            words, colour_words: (n,) int64.
        """
        return self._advance(before, self.embed(words, colour_words))

    def _advance(self, before: State, embedded: Tensor) -> tuple[State, Tensor]:
        if self.recurrent:
            after = State(*self.cell(embedded, (before.first, before.second)))
            return after, after.first
        after = State(before.first + embedded, before.second + 1)
        return after, torch.tanh(self.perceptron(after.first / after.second))

    def after_each_word(self, words: Tensor, colour_words: Tensor) -> Tensor:
        """(n, L, state) float32: what is known after each word of (n, L) int64 ids. After the end it means nothing."""
        embedded = self.embed(words, colour_words)
        if not self.recurrent:
            counts = torch.arange(1, words.shape[1] + 1, device=words.device, dtype=embedded.dtype)
            return torch.tanh(self.perceptron(embedded.cumsum(dim=1) / counts[:, None]))
        state, read = self.start(len(words)), []
        for position in range(words.shape[1]):
            state, said = self._advance(state, embedded[:, position])
            read.append(said)
        return torch.stack(read, dim=1)

    def forward(self, words: Tensor, colour_words: Tensor, lengths: Tensor) -> Tensor:
        """(n, state) float32 after the last word of each sequence.

        Args:
            words, colour_words: (n, L) int64. lengths: (n,) int64, 1 to L.
        """
        longest = int(lengths.max())
        states = self.after_each_word(words[:, :longest], colour_words[:, :longest])
        return states[torch.arange(len(words), device=words.device), lengths - 1]


class ConditioningAugmentation(nn.Module):
    """A state to a Gaussian around it, from which the condition is drawn: smooths a text space with few points.

    Mean and log-variance come from different halves of one linear map, without a ReLU: with the ReLU of the published
    code the mean could not be negative and the deviation not below 1.

    Source: Zhang et al., StackGAN, ICCV 2017, section 3.2.
    """

    def __init__(self, state: int, condition: int) -> None:
        super().__init__()
        self.condition = condition
        self.both = nn.Linear(state, 2 * condition)
        with torch.no_grad():
            self.both.bias[condition:].fill_(FIRST_LOG_VARIANCE)

    def forward(self, state: Tensor, epsilon: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The drawn condition, the mean and the log-variance, (n, condition) float32 each.

        Args:
            state: (n, state). epsilon: (n, condition) standard normal; zeros give the mean.
        """
        both = self.both(state)
        mean, log_variance = both[:, : self.condition], both[:, self.condition :]
        return mean + epsilon * torch.exp(0.5 * log_variance), mean, log_variance
