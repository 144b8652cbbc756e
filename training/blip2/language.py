"""The language half of BLIP-2 on its own: from cached image features and a question to log-probabilities of answers.

Belongs here: T5's forward pass over the library's own modules (and over adapters put into them).
Not here: what is asked and which answers are allowed (answers.py), training (lora.py), the image half (features.py).

Why not the library's forward pass: one decoder pass here scores a whole tree of answers (a token attends to its
ancestors only, at its own depth) over cross-attention keys computed once per question, which the library cannot
express; and on a CPU it spends most of a step outside matrix products. Same modules, same numbers: a test holds the
two together.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import Blip2ForConditionalGeneration

KeysValues = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class EncodedQuestions:
    """Encoder output, ready to be decoded any number of times.

    Attributes:
        cross: per decoder layer the (m, heads, length, d_kv) keys and values of cross-attention.
        mask: (m, 1, 1, length), 0 where the encoder read a token and -inf at padding; None when nothing is padded.
    """

    cross: list[KeysValues]
    mask: Tensor | None

    def rows(self, indices: Tensor) -> "EncodedQuestions":
        """The same for some of the questions; `chosen` is (k,) int64."""
        cross = [(keys[indices], values[indices]) for keys, values in self.cross]
        return EncodedQuestions(cross, None if self.mask is None else self.mask[indices])


def image_tokens(model: Blip2ForConditionalGeneration, features: Tensor) -> Tensor:
    """Q-Former outputs (n, queries, d_qformer) as language model inputs (n, queries, d_model)."""
    projection = model.language_projection
    tokens: Tensor = projection(features.to(projection.weight.device, projection.weight.dtype))
    return tokens


def encode(
    language_model: nn.Module, tokens: Tensor, question: Tensor, question_mask: Tensor, *, padded: bool | None = None
) -> EncodedQuestions:
    """Read the image tokens and the question.

    Args:
        tokens: (m, queries, d_model), from `image_tokens`, one row per question.
        question: (m, words) int64 token ids, padded at the end.
        question_mask: (m, words) bool, True at real tokens.
        padded: whether anything is padded, where the caller knows; None looks, which waits for a GPU.
    """
    lm: Any = language_model
    words = lm.shared(question)
    hidden = torch.cat([tokens.to(words.dtype), words], dim=1)
    mask = None
    if padded if padded is not None else not bool(question_mask.all()):
        seen = functional.pad(question_mask, (tokens.shape[1], 0), value=True)
        mask = _additive(seen[:, None, None, :], hidden.dtype)
    length = hidden.shape[1]
    attention = lm.encoder.block[0].layer[0].SelfAttention
    positions = torch.arange(length, device=hidden.device)
    bias = position_bias(attention, positions[None, :] - positions[:, None], bidirectional=True)
    bias = bias if mask is None else bias + mask
    for block in lm.encoder.block:
        hidden = _self_attention(block.layer[0], hidden, bias)
        hidden = _feed_forward(block.layer[-1], hidden)
    states = States(_compute(rms_normalise(lm.encoder.final_layer_norm, hidden)))
    return EncodedQuestions([_keys_values(b.layer[1].EncDecAttention, states) for b in lm.decoder.block], mask)


def decode(
    language_model: nn.Module, inputs: Tensor, depth: Tensor, ancestors: Tensor, read: EncodedQuestions
) -> Tensor:
    """Decoder states of every node of one answer tree, for every question, in one pass.

    Args:
        inputs: (m, nodes) or (1, nodes) int64 token ids.
        depth: (nodes,) int64, position of each node in its answer.
        ancestors: (nodes, nodes) bool, True where the row's node may look (itself and its ancestors). A causal
            triangle makes this the ordinary decoder.
        read: from `encode`.

    Returns:
        (m, nodes, d_model) after the final norm, scaled as the output layer wants it.
    """
    lm: Any = language_model
    rows = read.cross[0][0].shape[0]
    hidden = lm.shared(inputs).expand(rows, -1, -1)
    attention = lm.decoder.block[0].layer[0].SelfAttention
    bias = position_bias(attention, depth[None, :] - depth[:, None], bidirectional=False)
    bias = bias + _additive(ancestors, bias.dtype)
    for block, keys_values in zip(lm.decoder.block, read.cross, strict=True):
        hidden = _self_attention(block.layer[0], hidden, bias)
        hidden = _cross_attention(block.layer[1], hidden, keys_values, read.mask)
        hidden = _feed_forward(block.layer[-1], hidden)
    hidden = rms_normalise(lm.decoder.final_layer_norm, hidden)
    return hidden * lm.model_dim**-0.5 if lm.config.scale_decoder_outputs else hidden


def answer_loss(
    model: Blip2ForConditionalGeneration, tokens: Tensor, question: Tensor, question_mask: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of answers, summed, and how many tokens it is over.

    Args:
        labels: (m, words) int64, the answer with `</s>`, -100 at padding.
    """
    lm: Any = model.language_model
    read = encode(lm, tokens, question, question_mask)
    length = labels.shape[1]
    start = labels.new_full((labels.shape[0], 1), lm.config.decoder_start_token_id)
    inputs = torch.cat([start, labels[:, :-1].clamp_min(0)], dim=1)
    steps = torch.arange(length, device=labels.device)
    hidden = decode(lm, inputs, steps, steps[None, :] <= steps[:, None], read)
    real = labels != -100
    # Only real positions reach the output layer: it is as wide as the vocabulary.
    logits = lm.lm_head(_compute(hidden[real])).float()
    return functional.cross_entropy(logits, labels[real], reduction="sum"), real.sum()


def position_bias(attention: Any, relative: Tensor, *, bidirectional: bool) -> Tensor:
    """T5's learned bias for key position minus query position: (q, k) int64 to (1, heads, q, k)."""
    buckets = _buckets(
        attention.relative_attention_num_buckets,
        attention.relative_attention_max_distance,
        bidirectional,
        relative.device,
    )
    reach = buckets.shape[0] // 2
    values: Tensor = attention.relative_attention_bias(buckets[relative.clamp(-reach, reach) + reach])
    return _compute(values.permute(2, 0, 1)[None])


@lru_cache(maxsize=16)
def _buckets(count: int, max_distance: int, bidirectional: bool, device: torch.device) -> Tensor:
    """Bucket of every relative position in [-max_distance, max_distance]; beyond, the last bucket repeats.

    Source: Raffel et al., T5, JMLR 2020, section 2.1 (half the buckets exact, half logarithmic).
    """
    distances = torch.arange(-max_distance, max_distance + 1)
    half = count // 2 if bidirectional else count
    offset = (distances > 0).long() * half if bidirectional else torch.zeros_like(distances)
    away = distances.abs() if bidirectional else (-distances).clamp_min(0)
    exact = half // 2
    far = (
        exact + (torch.log(away.clamp_min(1).float() / exact) / math.log(max_distance / exact) * (half - exact)).long()
    )
    return (offset + torch.where(away < exact, away, far.clamp_max(half - 1))).to(device)


def rms_normalise(norm: Any, hidden: Tensor) -> Tensor:
    """T5's root-mean-square norm, accumulated in float32, returned in the dtype of its weight."""
    weight = norm.weight
    hidden = hidden.float()
    # Not functional.rms_norm: torch 2.13 runs it on a CPU as five passes over memory; this is two.
    mean_square = torch.linalg.vector_norm(hidden, dim=-1, keepdim=True).square() / weight.shape[0]
    scaled = hidden * torch.rsqrt(mean_square + norm.variance_epsilon)
    return weight * scaled.to(weight.dtype)


def _compute(values: Tensor) -> Tensor:
    """In autocast's dtype where autocast is on: cast once here instead of once in every layer that reads it."""
    kind = values.device.type
    return values.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else values


def _additive(allowed: Tensor, dtype: torch.dtype) -> Tensor:
    return torch.zeros(allowed.shape, dtype=dtype, device=allowed.device).masked_fill_(~allowed, torch.finfo(dtype).min)


def _heads(attention: Any, values: Tensor) -> Tensor:
    return values.unflatten(-1, (-1, attention.key_value_proj_dim)).transpose(1, 2)


def _keys_values(attention: Any, states: "States") -> KeysValues:
    return _heads(attention, states.through(attention.k)), _heads(attention, states.through(attention.v))


class States:
    """Normalised activations on their way into several linear layers, with or without adapters.

    An adapter's own forward pass would cast its input to float32 and draw a dropout mask for every layer; here the
    layers that read the same activations share one mask (each entry is still dropped with the adapter's probability).
    """

    def __init__(self, values: Tensor):
        self.values = values
        self._dropped: Tensor | None = None

    def through(self, layer: Any) -> Tensor:
        """`layer` applied: a plain linear layer, or one that carries an unmerged LoRA adapter named `default`."""
        if not hasattr(layer, "lora_A") or layer.merged or layer.disable_adapters:
            plain: Tensor = layer(self.values)
            return plain
        down, up, dropout = layer.lora_A["default"], layer.lora_B["default"], layer.lora_dropout["default"]
        if self._dropped is None:
            self._dropped = dropout(self.values)
        scaled = functional.linear(functional.linear(self._dropped, down.weight), up.weight) * layer.scaling["default"]
        output: Tensor = layer.base_layer(self.values) + scaled
        return output


def _attend(attention: Any, queries: Tensor, keys_values: KeysValues, bias: Tensor | None) -> Tensor:
    keys, values = keys_values
    scores = queries @ keys.transpose(-1, -2)  # T5 does not scale by the root of the width
    if bias is not None:
        scores = scores + bias.to(scores.dtype)
    mixed = torch.softmax(scores, dim=-1, dtype=scores.dtype) @ values
    output: Tensor = States(mixed.transpose(1, 2).flatten(2)).through(attention.o)
    return output


def _self_attention(layer: Any, hidden: Tensor, bias: Tensor) -> Tensor:
    states = States(_compute(rms_normalise(layer.layer_norm, hidden)))
    attention = layer.SelfAttention
    queries = _heads(attention, states.through(attention.q))
    return hidden + _attend(attention, queries, _keys_values(attention, states), bias)


def _cross_attention(layer: Any, hidden: Tensor, keys_values: KeysValues, mask: Tensor | None) -> Tensor:
    attention = layer.EncDecAttention
    queries = _heads(attention, States(_compute(rms_normalise(layer.layer_norm, hidden))).through(attention.q))
    return hidden + _attend(attention, queries, keys_values, mask)


def _feed_forward(layer: Any, hidden: Tensor) -> Tensor:
    states = States(_compute(rms_normalise(layer.layer_norm, hidden)))
    dense = layer.DenseReluDense
    gated = dense.act(states.through(dense.wi_0)) * states.through(dense.wi_1)
    return hidden + States(gated).through(dense.wo)
