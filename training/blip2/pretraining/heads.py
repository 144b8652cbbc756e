"""What stage 1 needs beside the base, and throws away: a small text side, and readouts of the image tokens.

Belongs here: contrast, matching and captioning through the queries (the BLIP-2 paper's three losses of stage 1), phrase,
part and colour readouts.
Not here: the loops (stages.py), the base itself (training/blip2/base.py).

The paper lets text share the Q-Former's layers. The library's Blip2ForConditionalGeneration has no text in its Q-Former, so the
text side is a separate small transformer that sees the picture only through the query outputs: the same bottleneck.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.blip2.pretraining.augmentation import PART_CELLS
from training.blip2.pretraining.corpus import PhraseTable

START = 2  # `<unk>` begins a caption; no caption holds it


class TextLayer(nn.Module):
    """Self-attention, cross-attention to the query outputs (left out for text alone), feed-forward; norms first."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.inner = nn.Linear(width, 3 * width)
        self.inner_out = nn.Linear(width, width)
        self.ask, self.look = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.look_out = nn.Linear(width, width)
        self.feed = nn.Sequential(nn.Linear(width, 3 * width), nn.GELU(), nn.Linear(3 * width, width))

    def forward(self, words: Tensor, queries: Tensor | None, mask: Tensor | None, causal: bool) -> Tensor:
        query, key, value = (self._split(part) for part in self.inner(self.norms[0](words)).chunk(3, -1))
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=causal)
        words = words + self.inner_out(mixed.transpose(1, 2).flatten(2))
        if queries is not None:
            key, value = (self._split(part) for part in self.look(queries).chunk(2, -1))
            mixed = functional.scaled_dot_product_attention(self._split(self.ask(self.norms[1](words))), key, value)
            words = words + self.look_out(mixed.transpose(1, 2).flatten(2))
        return words + self.feed(self.norms[2](words))

    def _split(self, values: Tensor) -> Tensor:
        return values.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class TextSide(nn.Module):
    """Reads captions alone, or together with query outputs, or writes them from query outputs."""

    def __init__(self, vocabulary: int, width: int, words: int, joint: int = 128, layers: int = 3, heads: int = 6):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.place = nn.Embedding(words + 1, width)
        self.layers = nn.ModuleList(TextLayer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.text_joint, self.query_joint = nn.Linear(width, joint), nn.Linear(width, joint)
        self.match = nn.Linear(width, 2)
        self.log_scale = nn.Parameter(torch.tensor(2.6))
        nn.init.normal_(self.embedding.weight, std=0.02)

    def losses(self, queries: Tensor, captions: Tensor) -> dict[str, Tensor]:
        """The three losses of stage 1.

        Args:
            queries: (b, k, width) outputs of the Q-Former. captions: (b, words) int64, 0 pads.
        """
        scores, same = self._scores(queries, captions)
        aim = torch.arange(len(queries), device=queries.device)
        contrast = (functional.cross_entropy(scores, aim) + functional.cross_entropy(scores.T, aim)) / 2
        wrong_text = _hard(scores, same)
        wrong_picture = _hard(scores.T, same)
        states = torch.cat([queries, queries, queries.index_select(0, wrong_picture)])
        said = torch.cat([captions, captions[wrong_text], captions])
        first = self._run(said, states, causal=False)[:, 0]
        truth = torch.arange(3 * len(queries), device=queries.device) < len(queries)
        match = functional.cross_entropy(self.match(first).float(), truth.long())
        hidden = self._run(captions, queries, causal=True)[:, :-1]
        logits = functional.linear(hidden, self.embedding.weight).float()
        caption = functional.cross_entropy(logits.flatten(0, 1), captions.flatten(), ignore_index=0)
        return {"contrast": contrast, "match": match, "caption": caption}

    def _scores(self, queries: Tensor, captions: Tensor) -> tuple[Tensor, Tensor]:
        """Likeness of every picture to every caption, the best query counting; captions equal to one's own left out."""
        text = functional.normalize(self.text_joint(self._run(captions, None, causal=False)[:, 0]).float(), dim=-1)
        seen = functional.normalize(self.query_joint(queries).float(), dim=-1)
        best = torch.einsum("bkd,cd->bck", seen, text).amax(-1) * self.log_scale.clamp(max=4.6).exp()
        same = (captions[:, None] == captions[None]).all(-1)
        other = same & ~torch.eye(len(same), dtype=torch.bool, device=same.device)
        return best.masked_fill(other, -1e4), same

    def _run(self, captions: Tensor, queries: Tensor | None, causal: bool) -> Tensor:
        ids = functional.pad(captions, (1, 0), value=START)
        words = self.embedding(ids) + self.place.weight[: ids.shape[1]]
        mask = None if causal else (ids != 0)[:, None, None, :]
        for layer in self.layers:
            words = layer(words, queries, mask, causal)
        normed: Tensor = self.norm(words)
        return normed


def _hard(scores: Tensor, same: Tensor) -> Tensor:
    """One wrong column per row, drawn in proportion to how right it looks."""
    # By noise and argmax: `multinomial` looks at its weights, and a step that is a graph may not wait.
    noise = -torch.empty_like(scores).exponential_().log()
    return (scores.detach().masked_fill(same, -1e5) + noise).argmax(1)


class Readouts(nn.Module):
    """Which everyday phrases hold, what every patch shows, and the main colour: read linearly, so that features stay readable.

    Each topic reads its own mixture of the image tokens, which lets tokens specialise. The same phrases are also read from the
    patches directly: through the Q-Former alone the first layers would wait long for a gradient worth having.
    """

    topic_of: Tensor
    members: Tensor
    lab_centre: Tensor

    def __init__(self, table: PhraseTable, width: int, queries: int, patch_width: int, patches: int, part_classes: int):
        super().__init__()
        self.register_buffer("topic_of", table.topic_of, persistent=False)
        members = functional.one_hot(table.topic_of, len(table.topics)).float()
        self.register_buffer("members", members, persistent=False)
        self.register_buffer("lab_centre", torch.tensor([50.0, 0.0, 0.0]), persistent=False)
        self.mix = nn.Parameter(torch.randn(len(table.topics) + 1, queries) * 0.5)  # the last one reads the colour
        self.phrase = nn.Linear(width, len(table.phrases))
        self.patch_phrase = nn.Linear(2 * patch_width, len(table.phrases))
        self.colour = nn.Linear(width, 3)
        self.cells = PART_CELLS // round(patches**0.5)
        self.parts = nn.Linear(patch_width, self.cells**2 * part_classes)

    def phrase_loss(self, tokens: Tensor, phrases: Tensor) -> tuple[Tensor, Tensor]:
        """Cross-entropy within each topic that the picture has, and the share of right answers; every picture counts the same.

        Args:
            tokens: (b, k, width) image tokens as the language model reads them. phrases: (b, most) int64, -1 absent.
        """
        weights = self.members @ self.mix[:-1].softmax(-1)
        return self._within_topics(torch.einsum("bkp,pk->bp", self.phrase(tokens), weights.to(tokens.dtype)), phrases)

    def patch_phrase_loss(self, patches: Tensor, phrases: Tensor) -> tuple[Tensor, Tensor]:
        """The same, read from the mean and the maximum of the patches (b, patches, width)."""
        return self._within_topics(self.patch_phrase(torch.cat([patches.mean(1), patches.amax(1)], -1)), phrases)

    def _within_topics(self, logits: Tensor, phrases: Tensor) -> tuple[Tensor, Tensor]:
        logits = logits.float()
        top = logits.detach().amax(1, keepdim=True)
        with torch.autocast(logits.device.type, enabled=False):
            total = ((logits - top).exp() @ self.members).clamp_min(1e-30).log() + top
        present = (phrases >= 0).float()
        ids = phrases.clamp_min(0)
        true_logits, topics = logits.gather(1, ids), self.topic_of[ids]
        each = ((total.gather(1, topics) - true_logits) * present).sum(1) / present.sum(1).clamp_min(1)
        with torch.no_grad():
            spread = self.topic_of.expand_as(logits)
            best = torch.full_like(total, -1e9).scatter_reduce(1, spread, logits, "amax").gather(1, topics)
            right = ((best <= true_logits) * present).sum() / present.sum().clamp_min(1)
        return each.mean(), right

    def colour_loss(self, tokens: Tensor, lab: Tensor) -> Tensor:
        """Squared error of the main colour in units of 25 CIELAB, over pictures that have one."""
        read = self.colour(torch.einsum("bkd,k->bd", tokens, self.mix[-1].softmax(-1).to(tokens.dtype))).float()
        labelled = (~lab[:, :1].isnan()).float()
        error = (read - (lab.nan_to_num() - self.lab_centre) / 25).square() * labelled
        return error.sum() / (3 * labelled.sum().clamp_min(1))

    def parts_loss(self, patches: Tensor, parts: Tensor) -> Tensor:
        """Cross-entropy of the class at every cell of the part map.

        Args:
            patches: (b, patches, width), row by row. parts: (b, 32, 32) int64.
        """
        side, cells = round(patches.shape[1] ** 0.5), self.cells
        logits = self.parts(patches).unflatten(-1, (cells * cells, -1)).float()
        aim = parts.unflatten(1, (side, cells)).unflatten(3, (side, cells)).permute(0, 1, 3, 2, 4)
        return functional.cross_entropy(logits.flatten(0, 2), aim.reshape(-1))
