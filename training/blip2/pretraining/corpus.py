"""The corpus on the device: uint8 pictures and token ids, and random batches of them.

Belongs here: tokenizer and phrase table of the corpus, copying drawn rows to the device while the rest is drawn, batches.
Not here: drawing (pictures.py), augmentation (augmentation.py).
"""

import json
import queue
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from training.blip2.pretraining.pictures import Phrase, array_shapes, corpus_key, draw_corpus, sample_sentences
from training.blip2.pretraining.recipe import Recipe
from training.blip2.tokenizer import load_tokenizer, train_tokenizer

SAMPLED_PICTURES = 2_500


@dataclass(frozen=True)
class PhraseTable:
    """The everyday phrases that may be true of a picture: `topic_of` (phrases,) int64 numbers each one's topic."""

    phrases: list[Phrase]
    topics: list[str]
    topic_of: Tensor


@dataclass(frozen=True)
class CorpusBatch:
    """images (b, s, s, 3) uint8, parts (b, s, s) uint8, garment (b,) bool, captions (b, words), questions and answers
    (b, k, words) int64, kinds (b, k) int64, phrases (b, most) int64 with -1, lab (b, 3) float32 with NaN."""

    images: Tensor
    parts: Tensor
    garment: Tensor
    captions: Tensor
    questions: Tensor
    answers: Tensor
    kinds: Tensor
    phrases: Tensor
    lab: Tensor


def prepare_words(
    recipe: Recipe, cache: Path, base_tokenizer: Path | None = None
) -> tuple[PreTrainedTokenizerFast, PhraseTable, Path]:
    """Tokenizer (trained, or `base_tokenizer` when training goes on from a base) and phrase table of a recipe's corpus, kept in `cache`."""
    cache.mkdir(parents=True, exist_ok=True)
    file, words = cache / "tokenizer.json", cache / "words.json"
    key = corpus_key(recipe, base_tokenizer)
    kept = json.loads(words.read_text()) if words.is_file() and file.is_file() else {}
    if kept.get("key") != key:
        words.unlink(missing_ok=True)
        sentences, phrases = sample_sentences(recipe, SAMPLED_PICTURES)
        if base_tokenizer is not None:
            shutil.copyfile(base_tokenizer, file)
        else:
            train_tokenizer(sentences, recipe.vocabulary).backend_tokenizer.save(str(file))
        kept = {"key": key, "phrases": phrases}
        words.write_text(json.dumps(kept))
    pairs = [(topic, answer) for topic, answer in kept["phrases"]]
    topics = sorted({topic for topic, _ in pairs})
    number = {topic: index for index, topic in enumerate(topics)}
    return load_tokenizer(file), PhraseTable(pairs, topics, torch.tensor([number[topic] for topic, _ in pairs])), file


class Corpus:
    """Rows appear on the device as the workers finish them; `batch` draws from those that are there.

    The images stay uint8: 150,000 at 128 x 128 take 7 GB of device memory, and no loader can fall behind.
    """

    def __init__(
        self,
        recipe: Recipe,
        folder: Path,
        tokenizer: Path,
        phrases: list[Phrase],
        device: torch.device,
        workers: int | None,
    ):
        self.recipe, self.folder, self.device = recipe, folder, device
        total = recipe.garments + recipe.worlds
        self._tensors = {
            name: torch.empty((total, *shape), dtype=getattr(torch, dtype), device=device)
            for name, (shape, dtype) in array_shapes(recipe).items()
        }
        self._ready: dict[str, Tensor] = {
            kind: torch.empty(0, dtype=torch.int64, device=device) for kind in ("garment", "world")
        }
        self._finished: queue.Queue[tuple[str, int, int] | BaseException | None] = queue.Queue()
        self._arrays: dict[str, np.ndarray] = {}
        self.complete = False
        self._started = time.monotonic()
        self.seconds = 0.0
        self._thread = threading.Thread(target=self._draw, args=(tokenizer, phrases, workers), daemon=True)
        self._thread.start()

    def _draw(self, tokenizer: Path, phrases: list[Phrase], workers: int | None) -> None:
        try:
            draw_corpus(self.folder, self.recipe, tokenizer, phrases, workers, lambda *rows: self._finished.put(rows))
            self._finished.put(None)
        except BaseException as error:  # handed to the thread that trains, which raises it
            self._finished.put(error)

    @property
    def pictures(self) -> int:
        """How many are on the device."""
        return sum(len(rows) for rows in self._ready.values())

    def wait(self, pictures: int) -> None:
        """Until so many pictures (or all) are on the device, some of each kind."""
        while not self.complete and (self.pictures < pictures or any(not len(rows) for rows in self._ready.values())):
            self.refresh()
            time.sleep(0.05)

    def refresh(self) -> None:
        """Copy what was drawn since the last call. Raises what drawing raised."""
        new: dict[str, list[Tensor]] = {kind: [] for kind in self._ready}
        while not self._finished.empty():
            news = self._finished.get()
            if isinstance(news, BaseException):
                raise news
            if news is None:
                self.complete = True
                self.seconds = time.monotonic() - self._started
                break
            kind, start, stop = news
            if not self._arrays:
                self._arrays = {name: np.load(self.folder / f"{name}.npy", mmap_mode="r") for name in self._tensors}
            for begin in range(start, stop, 4096):
                end = min(begin + 4096, stop)
                for name, tensor in self._tensors.items():
                    tensor[begin:end].copy_(torch.from_numpy(np.array(self._arrays[name][begin:end])))
            new[kind].append(torch.arange(start, stop, device=self.device))
        for kind, rows in new.items():
            if rows:
                self._ready[kind] = torch.cat([self._ready[kind], *rows])

    def batch(self, size: int, questions: int) -> CorpusBatch:
        """`size` random pictures, garments at the recipe's share, with one caption and `questions` questions each.

        Nothing here waits for the device or changes its shape, so that a step can be recorded as a graph.
        """
        garments = round(self.recipe.garment_share * size)
        rows = torch.cat(
            [self._random(kind, count) for kind, count in (("garment", garments), ("world", size - garments))]
        )
        t = self._tensors
        each = torch.arange(size, device=self.device)
        said = torch.randint(self.recipe.captions, (size,), device=self.device)
        asked = torch.rand(size, self.recipe.questions, device=self.device).argsort(1)[:, :questions]
        row = each[:, None]
        return CorpusBatch(
            images=t["images"][rows],
            parts=t["parts"][rows],
            garment=each < garments,
            captions=t["captions"][rows][each, said].long(),
            questions=t["questions"][rows][row, asked].long(),
            answers=t["answers"][rows][row, asked].long(),
            kinds=t["kinds"][rows][row, asked].long(),
            phrases=t["phrases"][rows].long(),
            lab=t["lab"][rows],
        )

    def _random(self, kind: str, count: int) -> Tensor:
        ready = self._ready[kind]
        return ready[torch.randint(len(ready), (count,), device=self.device)]
