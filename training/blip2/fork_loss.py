"""The loss of answers out of a closed vocabulary, taken only where the vocabulary leaves a choice.

Belongs here: the forks of a batch as tensors, and the loss over them. Not here: the tree (answers.py), the loss over
every token (language.answer_loss, which pre-training takes), the steps (lora.py, continuation.py).

"Article Type: Formal Shoes" is up to a dozen tokens, and given the other article types perhaps three of them have to be
chosen; `trie` decoding follows the rest without looking at the model. A loss over all of them spends its steps on the
words that every answer begins with. Here the probability is shared among the allowed tokens, as it is in decoding: the
loss of an answer is minus the log-probability with which `trie` decoding gives it, and the decoder reads no further
than the last fork.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import Blip2ForConditionalGeneration

from training.blip2.answers import Choices, pad_right
from training.blip2.language import decode, encode

LOSS = "forks"  # part of a run's name: what was begun with another loss is not gone on with


@dataclass(frozen=True)
class Forks:
    """The forks on the way to the answers of a batch.

    Attributes:
        inputs: (m, words) int64, what the decoder reads, padded at the end.
        row, position: (forks,) int64, where each fork is in `inputs`.
        allowed: (forks, widest) int64 tokens that may follow. is_allowed: bool, False at padding.
        taken: (forks,) int64, the column of `allowed` that the answer takes.
    """

    inputs: Tensor
    row: Tensor
    position: Tensor
    allowed: Tensor
    is_allowed: Tensor
    taken: Tensor


def gather_forks(answers: Sequence[Choices], device: torch.device | str = "cpu") -> Forks:
    """The forks of some answers (`AnswerTrie.choices`), which may come from different trees."""
    inputs, _ = pad_right([answer.inputs for answer in answers], 0, device)
    forks = [(row, fork) for row, answer in enumerate(answers) for fork in range(len(answer.positions))]
    allowed, is_allowed = pad_right([answers[row].allowed[fork] for row, fork in forks], 0, device)

    def numbers(values: list[int]) -> Tensor:
        return torch.tensor(values, dtype=torch.long, device=device)

    return Forks(
        inputs=inputs,
        row=numbers([row for row, _ in forks]),
        position=numbers([answers[row].positions[fork] for row, fork in forks]),
        allowed=allowed,
        is_allowed=is_allowed,
        taken=numbers([answers[row].taken[fork] for row, fork in forks]),
    )


def fork_loss(
    model: Blip2ForConditionalGeneration, tokens: Tensor, question: Tensor, question_mask: Tensor, forks: Forks
) -> Tensor:
    """Minus the log-probability of each answer among those its question allows, summed over the batch.

    Args:
        tokens: (m, queries, d_model), from `image_tokens`, one row per question.
        question: (m, words) int64. question_mask: (m, words) bool, True at real tokens.

    Returns:
        () float32; 0, with a gradient of 0, where nothing has to be chosen.
    """
    lm: Any = model.language_model
    read = encode(lm, tokens, question, question_mask)
    steps = torch.arange(forks.inputs.shape[1], device=forks.inputs.device)
    hidden = decode(lm, forks.inputs, steps, steps[None, :] <= steps[:, None], read)
    with torch.autocast(tokens.device.type, enabled=False):  # probabilities are always worked out in float32
        states = hidden[forks.row, forks.position].float()
        logits = torch.einsum("fd,fad->fa", states, lm.lm_head.weight[forks.allowed].float())
        shares = torch.log_softmax(logits.masked_fill(~forks.is_allowed, -torch.inf), dim=-1)
    return -shares.gather(1, forks.taken[:, None]).sum()
