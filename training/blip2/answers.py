"""Answers out of a closed vocabulary, with a probability for each: trie decoding and candidate scoring.

Belongs here: the tree of allowed answers, the two ways of reading it. Not here: what is allowed
(catalog/attributes.yaml), how sure is sure enough (calibration.py), the forward pass (language.py), learning to choose
(fork_loss.py).

Both ways read one decoder pass over the tree of all answers (a token attends to its ancestors only), over an encoder
output computed once per (picture, question):

- `trie`: at every fork the probability is shared among the allowed tokens only, and the most likely one is followed,
  which is constrained greedy decoding without its token-by-token loop. Nodes after the last fork need no computation
  at all.
- `scored`: every answer's log-probability under the full vocabulary, divided by its number of tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from catalog.errors import SelvedgeError
from catalog.schema import AttributeSchema
from training.blip2.base import Base
from training.blip2.language import EncodedQuestions, decode, encode, image_tokens
from training.blip2.tokenizer import encode as token_ids
from training.blip2.tokenizer import encode_prompt

Decoding = Literal["trie", "scored"]
ROWS = 512  # questions encoded together; bounds memory, does not change an answer
LOGITS = 64_000_000  # logits held at once when every node needs the whole vocabulary


class AnswerTrie:
    """All allowed answers to one question, as a tree of tokens. Node 0 is the decoder's start token.

    Raises:
        SelvedgeError: no answers, or two that are the same tokens.
    """

    def __init__(self, answers: Sequence[str], tokenizer: PreTrainedTokenizerBase, start_token: int = 0):
        if not answers:
            raise SelvedgeError(
                "answers: the vocabulary of a question is empty; add values in catalog/attributes.yaml."
            )
        self.answers = tuple(answers)
        self.paths = [token_ids(tokenizer, answer, end=True) for answer in answers]
        if len({tuple(path) for path in self.paths}) != len(self.paths):
            raise SelvedgeError(f"answers: two of {list(answers)[:5]}… are the same tokens; make the values distinct.")
        self.end_token = int(tokenizer.eos_token_id)
        self.children: list[dict[int, int]] = [{}]
        self._tokens, self._parents = [start_token], [0]
        for path in self.paths:
            node = 0
            for token in path:
                if token not in self.children[node]:
                    self.children[node][token] = len(self.children)
                    self.children.append({})
                    self._tokens.append(token)
                    self._parents.append(node)
                node = self.children[node][token]

    def allowed(self, prefix: Sequence[int]) -> list[int]:
        """Tokens that may follow `prefix` (without the start token). After `</s>` it is `</s>` again: the library
        asks for finished rows too, and an empty list would stop the whole batch."""
        node = 0
        for token in prefix:
            if not self.children[node]:
                return [self.end_token]
            node = self.children[node][token]
        return list(self.children[node]) or [self.end_token]

    @cached_property
    def choices(self) -> dict[str, "Choices"]:
        """By answer: where a token has to be chosen on the way to it."""
        return {answer: self._choices(path) for answer, path in zip(self.answers, self.paths, strict=True)}

    def _choices(self, path: Sequence[int]) -> "Choices":
        node, positions, allowed, taken = 0, [], [], []
        for position, token in enumerate(path):
            children = list(self.children[node])
            if len(children) > 1:
                positions.append(position)
                allowed.append(tuple(children))
                taken.append(children.index(token))
            node = self.children[node][token]
        read = path[: positions[-1]] if positions else ()
        return Choices((self._tokens[0], *read), tuple(positions), tuple(allowed), tuple(taken))

    @cached_property
    def forks(self) -> "TreeTensors":
        """What `trie` decoding computes: forks and their ancestors."""
        return self._layout({node for node, children in enumerate(self.children) if len(children) > 1})

    @cached_property
    def inner(self) -> "TreeTensors":
        """What `scored` computes: every node that has a next token."""
        return self._layout({node for node, children in enumerate(self.children) if children})

    def _layout(self, read: set[int]) -> "TreeTensors":
        kept: set[int] = set()
        for node in read:
            while node not in kept:
                kept.add(node)
                node = self._parents[node]
        nodes = sorted(kept)
        position = {node: index for index, node in enumerate(nodes)}
        depth = [0] * len(nodes)
        ancestors = np.eye(len(nodes), dtype=bool)
        for index, node in enumerate(nodes):
            if node:
                above = position[self._parents[node]]  # parents come before their children
                depth[index] = depth[above] + 1
                ancestors[index] |= ancestors[above]
        edges = [
            (position[node], token, child)
            for node in nodes
            if node in read
            for token, child in self.children[node].items()
        ]
        edge_of = {child: index for index, (_, _, child) in enumerate(edges)}
        on_path = np.zeros((len(edges), len(self.paths)), dtype=np.float32)
        for answer, path in enumerate(self.paths):
            node = 0
            for token in path:
                node = self.children[node][token]
                if node in edge_of:
                    on_path[edge_of[node], answer] = 1
        return TreeTensors(
            inputs=torch.tensor([self._tokens[node] for node in nodes])[None],
            depth=torch.tensor(depth),
            ancestors=torch.from_numpy(ancestors),
            edge_from=torch.tensor([edge[0] for edge in edges], dtype=torch.long),
            edge_token=torch.tensor([edge[1] for edge in edges], dtype=torch.long),
            on_path=torch.from_numpy(on_path),
            lengths=torch.tensor([float(len(path)) for path in self.paths]),
        )


@dataclass(frozen=True)
class Choices:
    """The forks on the way to one answer; what lies between them follows by itself.

    Attributes:
        inputs: tokens that the decoder reads up to the last fork, the start token first.
        positions: of the forks in `inputs`; none where there is only one answer.
        allowed: the tokens that may follow each fork. taken: which of them does, as an index.
    """

    inputs: tuple[int, ...]
    positions: tuple[int, ...]
    allowed: tuple[tuple[int, ...], ...]
    taken: tuple[int, ...]


@dataclass(frozen=True)
class TreeTensors:
    """The part of a tree that is computed, as tensors.

    Attributes:
        inputs: (1, nodes) int64. depth: (nodes,). ancestors: (nodes, nodes) bool.
        edge_from, edge_token: (edges,) node and next token of every choice that counts.
        on_path: (edges, answers) float, 1 where the edge lies on the way to the answer.
        lengths: (answers,) tokens of each answer, `</s>` included.
    """

    inputs: Tensor
    depth: Tensor
    ancestors: Tensor
    edge_from: Tensor
    edge_token: Tensor
    on_path: Tensor
    lengths: Tensor

    def to(self, device: torch.device) -> "TreeTensors":
        if self.inputs.device == device:
            return self
        return TreeTensors(**{name: value.to(device) for name, value in vars(self).items()})


@dataclass(frozen=True)
class PictureQuestion:
    """One question about one picture.

    Attributes:
        image: row of the features it is about.
        question: the words, without the prompt around them.
        trie: its allowed answers; share one object among questions with the same vocabulary.
    """

    image: int
    question: str
    trie: AnswerTrie


@dataclass(frozen=True)
class Scores:
    """What a model thinks of every allowed answer to one question.

    Attributes:
        answer_index: of the answer that is given, in `trie.answers`.
        log_probabilities: (answers,) float32, they sum to one; before calibration.
    """

    answer_index: int
    log_probabilities: np.ndarray


def answer_tries(schema: AttributeSchema, base: Base) -> dict[str, AnswerTrie]:
    """The tree of every attribute of a schema, as training, validation and serving all read it.

    Raises:
        SelvedgeError: two values of an attribute are the same tokens.
    """
    return {
        name: AnswerTrie(
            [schema.answer(name, value) for value in attribute.vocabulary], base.tokenizer, base.start_token
        )
        for name, attribute in schema.attributes.items()
    }


def decode_answers(base: Base, features: Tensor, asked: Sequence[PictureQuestion]) -> list[Scores]:
    """Constrained greedy decoding of every question. See `answer_all`."""
    return answer_all(base, features, asked, "trie")


@torch.no_grad()
def answer_all(base: Base, features: Tensor, asked: Sequence[PictureQuestion], decoding: Decoding) -> list[Scores]:
    """Answer any number of questions about any number of pictures.

    Args:
        features: (n, queries, d_qformer), from `FeatureStore.read` or `image_features`.
        asked: the questions, in any order; their vocabularies may differ.

    Returns:
        One `Scores` per question, in order. In fp32 a batch gives what its questions give alone (to rounding).
    """
    device = base.device
    prompts = {a.question: encode_prompt(base.tokenizer, base.prompt.text(a.question)) for a in asked}
    # Neighbours share a vocabulary and a length: one tree per decoder pass, little padding. Trees come in the order in
    # which they are first asked for: by their addresses, batches would be others in every process, and round otherwise.
    tries = {address: rank for rank, address in enumerate(dict.fromkeys(id(question.trie) for question in asked))}
    order = sorted(range(len(asked)), key=lambda i: (tries[id(asked[i].trie)], len(prompts[asked[i].question]), i))
    results: list[Scores | None] = [None] * len(asked)
    for start in range(0, len(order), ROWS):
        rows = order[start : start + ROWS]
        images = torch.tensor([asked[i].image for i in rows])
        needed, where = torch.unique(images, return_inverse=True)
        tokens = image_tokens(base.model, features[needed])[where.to(device)]
        question, mask = pad_right([prompts[asked[i].question] for i in rows], 0, device)
        read = encode(base.model.language_model, tokens, question, mask)
        begin = 0
        while begin < len(rows):
            trie = asked[rows[begin]].trie
            end = begin
            while end < len(rows) and asked[rows[end]].trie is trie:
                end += 1
            scored = _score_tree(base, trie, _slice(read, begin, end), end - begin, decoding)
            for i, scores in zip(rows[begin:end], scored, strict=True):
                results[i] = scores
            begin = end
    return [scores for scores in results if scores is not None]


def pad_right(rows: Sequence[Sequence[int]], padding: int, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """Ragged token ids as (m, longest) int64 and a bool mask of the real ones."""
    longest = max((len(row) for row in rows), default=0)
    ids = torch.full((len(rows), longest), padding, dtype=torch.long)
    mask = torch.zeros((len(rows), longest), dtype=torch.bool)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = torch.tensor(row, dtype=torch.long)
        mask[index, : len(row)] = True
    return ids.to(device), mask.to(device)


def _slice(read: EncodedQuestions, begin: int, end: int) -> EncodedQuestions:
    cross = [(keys[begin:end], values[begin:end]) for keys, values in read.cross]
    return EncodedQuestions(cross, None if read.mask is None else read.mask[begin:end])


def _score_tree(base: Base, trie: AnswerTrie, read: EncodedQuestions, rows: int, decoding: Decoding) -> list[Scores]:
    layout = (trie.forks if decoding == "trie" else trie.inner).to(base.device)
    if layout.edge_from.numel() == 0:  # one allowed answer: nothing to choose
        return [Scores(0, np.zeros(1, np.float32)) for _ in range(rows)]
    lm: Any = base.model.language_model
    if decoding == "trie":
        hidden = decode(lm, layout.inputs, layout.depth, layout.ancestors, read)
        with torch.autocast(base.device.type, enabled=False):  # probabilities are always worked out in float32
            picked, log_probabilities = _follow_forks(hidden, lm.lm_head.weight, layout)
    else:
        step = max(1, LOGITS // (layout.inputs.shape[1] * lm.lm_head.weight.shape[0]))
        parts = []
        for begin in range(0, rows, step):
            part = _slice(read, begin, min(begin + step, rows))
            hidden = decode(lm, layout.inputs, layout.depth, layout.ancestors, part)
            logits = lm.lm_head(hidden.to(lm.lm_head.weight.dtype))
            with torch.autocast(base.device.type, enabled=False):
                parts.append(_whole_answers(logits.float(), layout))
        log_probabilities = torch.log_softmax(torch.cat(parts), dim=-1)
        picked = log_probabilities.argmax(dim=-1)
    table, picks = log_probabilities.cpu().numpy(), picked.cpu().tolist()
    return [Scores(pick, row) for pick, row in zip(picks, table, strict=True)]


def _follow_forks(hidden: Tensor, output_weight: Tensor, layout: TreeTensors) -> tuple[Tensor, Tensor]:
    """Greedy choice and log-probability of every answer, probability shared among the tokens allowed at each fork."""
    # Only the logits of allowed tokens are ever computed: a handful of rows of the output layer.
    states = hidden[:, layout.edge_from].float()
    logits = torch.einsum("med,ed->me", states, output_weight[layout.edge_token].float())
    nodes = hidden.shape[1]
    shape = (len(logits), nodes)
    fork = layout.edge_from.expand_as(logits)
    highest = torch.full(shape, -torch.inf, device=logits.device).scatter_reduce(1, fork, logits, "amax")
    shifted = logits - highest.gather(1, fork)
    total = torch.zeros(shape, device=logits.device).scatter_add(1, fork, shifted.exp())
    log_probabilities = (shifted - total.gather(1, fork).log()) @ layout.on_path
    # The greedy path is the answer all of whose edges are the highest of their fork.
    best = (shifted == 0).float() @ layout.on_path
    picked = (best - layout.on_path.sum(dim=0)).argmax(dim=-1)
    return picked, log_probabilities


def _whole_answers(logits: Tensor, layout: TreeTensors) -> Tensor:
    """(m, answers) log-probability per token of every answer; logits are (m, nodes, vocabulary) float32."""
    edge = logits[:, layout.edge_from, layout.edge_token] - logits.logsumexp(dim=-1)[:, layout.edge_from]
    return (edge @ layout.on_path) / layout.lengths
