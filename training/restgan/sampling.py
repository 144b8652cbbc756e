"""Drawing with a trained ReStGAN: words in, a picture after each of them out, without the training data.

Belongs here: the model that draws, word by word too, its artefact folder. Not here: training (loop.py), refusing bad
queries (words.py), pictures for people (grids.py).

An artefact is `selvedge.json` (format, settings, vocabulary, colour table, digest) and `weights.safetensors` (averaged
weights of text encoder and generator). Drawing is in fp32 and depends on weights, words and seed only.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from safetensors.torch import save_file
from torch import Tensor, nn

from catalog.errors import SelvedgeError
from training.artefact_file import read_artefact_file
from training.folders import written_whole
from training.picture_tensors import to_uint8
from training.restgan.colours import NO_CLUSTER, ColourTable
from training.restgan.generator import Generator, Noise, draw_noise
from training.restgan.settings import RestganSettings
from training.restgan.text import State, TextEncoder
from training.restgan.words import UNKNOWN, EncodedQuery, Vocabulary, stack_queries
from training.settings import settings_from
from training.weights import digest_of, read_tensors

FORMAT = 1
FAMILY = "restgan"
AT_ONCE = 128  # pictures in one pass
Query = str | Sequence[str]


def build_networks(
    settings: RestganSettings, vocabulary: Vocabulary, colours: ColourTable
) -> tuple[TextEncoder, Generator]:
    """Untrained networks of the sizes that settings, vocabulary and colour table ask for."""
    text = TextEncoder(settings, len(vocabulary), torch.from_numpy(colours.features()))
    return text, Generator(settings)


class RestganModel:
    """Draws what words say; a word that it does not know changes nothing.

    Attributes:
        settings, vocabulary, colours: what it was trained with. digest: of the artefact, "" for one in training.
    """

    def __init__(
        self,
        settings: RestganSettings,
        text: TextEncoder,
        generator: Generator,
        vocabulary: Vocabulary,
        colours: ColourTable,
        digest: str = "",
    ) -> None:
        self.settings, self.vocabulary, self.colours, self.digest = settings, vocabulary, colours, digest
        self.text, self.generator = text.eval(), generator.eval()

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.generator.parameters()).device

    @property
    def side(self) -> int:
        """Of the pictures of the last stage, pixels."""
        return self.settings.sides[-1]

    def encode(self, query: Query) -> EncodedQuery:
        """A query as word ids.

        Raises:
            SelvedgeError: see `Vocabulary.encode`.
        """
        return self.vocabulary.encode(query, self.colours)

    def noise(self, n: int, seed: int) -> Noise:
        """Noise of n pictures, a function of the seed; row i is the same for every n."""
        return draw_noise(n, self.settings, torch.Generator().manual_seed(seed)).to(self.device)

    def draw(self, queries: Sequence[Query], seed: int = 0) -> list[np.ndarray]:
        """A picture after each word of each query; within a query all have the same noise.

        Args:
            queries: texts, or lists of words. seed: query i gets row i of `noise`, however many there are.

        Returns:
            For each query (L, side, side, 3) uint8, L being the length of its `encode`.

        Raises:
            SelvedgeError: a query cannot be read.
        """
        if not queries:
            return []
        encoded = [self.encode(query) for query in queries]
        batch = stack_queries(encoded)
        return self.draw_encoded(
            batch["words"], batch["colour_words"], batch["lengths"], self.noise(len(encoded), seed)
        )

    @torch.inference_mode()
    def draw_encoded(
        self, words: np.ndarray, colour_words: np.ndarray, lengths: np.ndarray, noise: Noise
    ) -> list[np.ndarray]:
        """As `draw`, of (n, L) int64 ids and clusters and (n,) lengths, with n rows of noise."""
        states = self._after_each_word(words, colour_words)
        used = torch.arange(words.shape[1], device=self.device)[None] < self._tensor(lengths)[:, None]
        sequence = used.nonzero()[:, 0]
        pictures = self._pictures(states[used], Noise(noise.z[sequence], noise.epsilon[sequence]))
        return np.split(pictures, np.cumsum(lengths)[:-1])

    @torch.inference_mode()
    def draw_last(self, words: np.ndarray, colour_words: np.ndarray, lengths: np.ndarray, noise: Noise) -> np.ndarray:
        """(n, side, side, 3) uint8: one picture for each prefix, after its last word; arguments as `draw_encoded`."""
        longest = int(lengths.max())
        states = self._after_each_word(words[:, :longest], colour_words[:, :longest])
        return self._pictures(states[np.arange(len(words)), lengths - 1], noise)

    def refinement(self, seed: int = 0) -> "Refinement":
        """An empty query to which words are added one by one, with the noise of `draw([query], seed)`."""
        return Refinement(self, seed)

    def _after_each_word(self, words: np.ndarray, colour_words: np.ndarray) -> Tensor:
        """(n, L, state) float32; at an unknown word what was known before it, or nothing."""
        is_word = words != UNKNOWN
        count = is_word.cumsum(axis=1)[..., None]
        order = np.argsort(~is_word, axis=1, kind="stable")  # the known ones move to the front
        said = (self._tensor(np.take_along_axis(ids, order, axis=1)) for ids in (words, colour_words))
        states = self.text.after_each_word(*said).take_along_dim(self._tensor(np.maximum(count - 1, 0)), dim=1)
        _, nothing = self.text.step(self.text.start(1), self._tensor([UNKNOWN]), self._tensor([NO_CLUSTER]))
        return torch.where(self._tensor(count) > 0, states, nothing)

    def _tensor(self, array: ArrayLike) -> Tensor:
        return torch.from_numpy(np.array(array, np.int64)).to(self.device)

    def _pictures(self, states: Tensor, noise: Noise) -> np.ndarray:
        parts = []
        for start in range(0, len(states), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            drawn = self.generator(states[part], Noise(noise.z[part], noise.epsilon[part])).pictures[-1]
            parts.append(to_uint8(drawn))
        return np.concatenate(parts)


class Refinement:
    """A query that grows: one more word costs one step of the reader and one picture.

    Attributes:
        places: the words as read so far.
    """

    def __init__(self, model: RestganModel, seed: int) -> None:
        self.model = model
        self.noise = model.noise(1, seed)
        self.places: tuple[str, ...] = ()
        self.steps = 0  # of the reader, for whoever wants to see that states are kept
        self._said = ""
        self._ids: list[tuple[int, int]] = []
        self._states: list[tuple[State, Tensor]] = []

    @torch.inference_mode()
    def add(self, words: str) -> np.ndarray:
        """(side, side, 3) uint8: the picture after the words so far and these.

        States of earlier places are kept; where a new word changes how an earlier one is read ("navy", then "blue"),
        reading starts again from there.

        Raises:
            SelvedgeError: the words so far and these cannot be read as one query; the query stays as it was.
        """
        said = f"{self._said} {words}".strip() if words.strip() else words
        encoded = self.model.encode(said)
        ids = list(zip(encoded.words.tolist(), encoded.colour_words.tolist(), strict=True))
        kept = 0
        while kept < min(len(ids), len(self._ids)) and ids[kept] == self._ids[kept]:
            kept += 1
        states = self._states[:kept]
        for word, cluster in ids[kept:]:
            if states and word == UNKNOWN:
                states.append(states[-1])
                continue
            has_words = any(word_id != UNKNOWN for word_id, _ in ids[: len(states)])
            before = states[-1][0] if has_words else self.model.text.start(1)
            ids_of_word = torch.tensor([word, cluster], device=self.model.device)
            states.append(self.model.text.step(before, ids_of_word[:1], ids_of_word[1:]))
            self.steps += 1
        self._said, self._ids, self._states, self.places = said, ids, states, encoded.texts
        return to_uint8(self.model.generator(states[-1][1], self.noise).pictures[-1])[0]


def save_artefact(folder: Path, model: RestganModel, notes: Mapping[str, Any] | None = None) -> str:
    """Write the folder whole and return its digest.

    Args:
        notes: plain data for people (steps, figures); not part of the digest.

    Raises:
        SelvedgeError: a weight is not finite, or the disk is full or not writable; nothing is left then.
    """
    weights = _weights(model.text, model.generator)
    for name, tensor in weights.items():
        if not bool(torch.isfinite(tensor).all()):
            raise SelvedgeError(f"restgan: weight {name} is not finite; nothing was saved, train again.")
    about = {
        "format": FORMAT,
        "family": FAMILY,
        "settings": model.settings.to_dict(),
        "vocabulary": model.vocabulary.to_json(),
        "colours": model.colours.to_json(),
    }
    digest = _digest(about, weights)
    with written_whole(folder, "artefact") as part:
        save_file(weights, part / "weights.safetensors")
        whole = about | {"digest": digest, "notes": dict(notes or {})}
        (part / "selvedge.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    return digest


def read_about(folder: Path) -> dict[str, Any]:
    """`selvedge.json` of an artefact of this family; raises as `read_artefact_file`."""
    return read_artefact_file(folder, FAMILY, FORMAT)


def load_artefact(folder: Path, *, device: str | torch.device = "cpu") -> RestganModel:
    """A model from its folder, held to its digest.

    Raises:
        SelvedgeError: see `read_about`; or the weights are missing, damaged or do not match the digest.
    """
    about = read_about(folder)
    weights = read_tensors([folder / "weights.safetensors"])
    body = {name: value for name, value in about.items() if name not in ("digest", "notes")}
    if _digest(body, weights) != about.get("digest"):
        raise SelvedgeError(f"model {folder} does not match its digest; copy the whole folder again.")
    settings = settings_from(RestganSettings, about["settings"], f"model {folder}")
    vocabulary, colours = Vocabulary.from_json(about["vocabulary"]), ColourTable.from_json(about["colours"])
    with torch.random.fork_rng(devices=[]):  # building draws weights that are overwritten at once
        text, generator = build_networks(settings, vocabulary, colours)
    for name, module in (("text", text), ("generator", generator)):
        own = {key.removeprefix(f"{name}/"): value for key, value in weights.items() if key.startswith(f"{name}/")}
        module.load_state_dict(own)
        module.requires_grad_(False)
    return RestganModel(settings, text.to(device), generator.to(device), vocabulary, colours, about["digest"])


def _weights(text: nn.Module, generator: nn.Module) -> dict[str, Tensor]:
    modules = {"text": text, "generator": generator}
    return {
        f"{key}/{name}": value.detach().cpu().contiguous().clone()
        for key, module in modules.items()
        for name, value in module.state_dict().items()
    }


def _digest(about: Mapping[str, Any], weights: Mapping[str, Tensor]) -> str:
    return hashlib.sha256((json.dumps(about, sort_keys=True) + digest_of(weights)).encode()).hexdigest()
