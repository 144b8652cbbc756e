"""Every word of ReStGAN's vocabulary: what it does to the picture, against what it says of real ones.

Belongs here: the pictures, the judge and the table. Not here: the ladder's figures of type, colour and gender
(restgan_figures.py).

The judge is no part of any ReStGAN: logistic regression, a word at a time, on the frozen features of `blip2-tiny`,
which see patterns. It is taught on fresh drawn bottoms of a seed that no model has seen, and measured on others.

    real gap   mean probability of the word on real pictures that have it, minus that on those that have it not
    gain       the same on pictures drawn with the word and without it, from one noise, all other words the same
    share      gain / real gap

Run: `python -m benchmarks.restgan_words [--model FOLDER] [--work DIR]`; some minutes on one core.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import bootstrap

from catalog.drawn import draw_catalogue
from catalog.workspace import read_into
from training.blip2.base import load_base
from training.blip2.features import image_features, images_at_once
from training.folders import models_folder
from training.restgan.candidate import base_folder
from training.restgan.dataset import Bottoms, build_bottoms
from training.restgan.pretraining import ARTICLES, Frames, ProgressLines
from training.restgan.sampling import RestganModel, load_artefact
from training.restgan.words import UNKNOWN, stack_queries

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from training.blip2.base import Base

SEED, PRODUCTS = 71, 3000
SHARES = (0.6, 0.05, 0.35)  # of groups: the judge learns from the first two
LEAST_TAUGHT, LEAST_HELD_OUT = 25, 12  # products with a word, below which it is not judged
ASKED = 40  # products a word
CLEAR, REACHED, NOTHING = 0.3, 0.6, 0.1  # a real gap that can be seen, a share of it, and a gain that is none
COMPONENTS = 256

Pictures = NDArray[np.uint8]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class WordFigures:
    """What a word does.

    Attributes:
        held_out: products with the word, that the judge did not learn from. auc: of the judge on real pictures.
        gap: real gap. gain: with its 95 % interval (low, high) by resampling products.
    """

    word: str
    held_out: int
    auc: float
    gap: float
    gain: float
    low: float
    high: float

    @property
    def share(self) -> float:
        """Of the real gap."""
        return self.gain / self.gap


class Judge:
    """Probabilities of words in pictures, from frozen features."""

    def __init__(self, base: "Base") -> None:
        self._base = base
        self._words: dict[str, Pipeline] = {}

    def learn_features(self, pictures: Pictures, taught: NDArray[np.bool_]) -> NDArray[np.float32]:
        """`features` of all pictures, their principal components learnt from the taught ones."""
        from sklearn.decomposition import PCA

        seen = self._frozen(pictures)
        self._components = PCA(COMPONENTS, random_state=0).fit(seen[taught])
        return np.asarray(self._components.transform(seen))

    def features(self, pictures: Pictures) -> NDArray[np.float32]:
        """(n, COMPONENTS) float32 of (n, S, S, 3) uint8."""
        return np.asarray(self._components.transform(self._frozen(pictures)))

    def _frozen(self, pictures: Pictures) -> NDArray[np.float32]:
        size = images_at_once(self._base.device)
        parts = [
            image_features(self._base.model, self._base.preprocessing.pixels(pictures[start : start + size]))
            for start in range(0, len(pictures), size)
        ]
        return torch.cat(parts).flatten(1).float().numpy()

    def learn(self, word: str, features: NDArray[np.float32], has: NDArray[np.bool_]) -> None:
        """Teach one word."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300))
        self._words[word] = pipeline.fit(features, has)

    def probability(self, word: str, features: NDArray[np.float32]) -> Floats:
        """(n,) of one word."""
        return np.asarray(self._words[word].predict_proba(features)[:, 1])


def fresh_bottoms(work: Path, side: int, products: int) -> Bottoms:
    """Drawn bottoms of a seed that no model has seen."""
    tables = work / f"fresh-{products}"
    if not (tables / "products.parquet").exists():
        progress = ProgressLines("bottoms").progress
        draw_catalogue(work / f"fresh-{products}-source", products, SEED, articles=ARTICLES, progress=progress)
        read_into(str(work / f"fresh-{products}-source"), "drop-1", tables)
    return build_bottoms(Frames.read(tables), side, shares=SHARES, reporter=ProgressLines("bottoms"))


def places_of(model: RestganModel, bottoms: Bottoms) -> list[list[str]]:
    """Of every product the words that the model knows, in order."""
    queries = [model.encode(text) for text in bottoms.rows["query"]]
    return [
        [word for word, number in zip(query.texts, query.words, strict=True) if number != UNKNOWN] for query in queries
    ]


def drawn(model: RestganModel, queries: Sequence[Sequence[str]], seed: int) -> Pictures:
    """(n, side, side, 3) uint8: one picture a query, after its last word; query i has row i of the noise."""
    batch = stack_queries([model.encode(list(words)) for words in queries])
    noise = model.noise(len(queries), seed)
    return model.draw_last(batch["words"], batch["colour_words"], batch["lengths"], noise)


def measure(model: RestganModel, bottoms: Bottoms, judge: Judge) -> list[WordFigures]:
    """Every word that enough products have, by its share of the real gap."""
    places = places_of(model, bottoms)
    taught = bottoms.rows["part"].to_numpy() != "test"
    features = judge.learn_features(bottoms.pictures, taught)
    rows = []
    for word in sorted({word for words in places for word in words}):
        has = np.array([word in words for words in places])
        held_out = [words for words, own, seen in zip(places, has, taught, strict=True) if own and not seen]
        asked = [words for words in held_out if len(words) > 1]
        if has[taught].sum() >= LEAST_TAUGHT and len(asked) >= LEAST_HELD_OUT:
            judge.learn(word, features[taught], has[taught])
            real = judge.probability(word, features[~taught])
            gains = gained(model, judge, word, asked[:ASKED])
            rows.append(figures(word, has[~taught], real, gains))
    return sorted(rows, key=lambda row: -row.share)


def gained(model: RestganModel, judge: Judge, word: str, queries: Sequence[Sequence[str]]) -> Floats:
    """(queries,) what the word's probability gains by being said."""
    unsaid = [[other for other in words if other != word] for words in queries]
    said, silent = (judge.probability(word, judge.features(drawn(model, asked, 0))) for asked in (queries, unsaid))
    return said - silent


def figures(word: str, has: NDArray[np.bool_], real: Floats, gains: Floats) -> WordFigures:
    """Of one word.

    Args:
        has: (products,) of the held-out ones, real: the judge's probabilities for them. gains: of `gained`.
    """
    from sklearn.metrics import roc_auc_score

    auc, gap = float(roc_auc_score(has, real)), float(real[has].mean() - real[~has].mean())
    interval = bootstrap((gains,), np.mean, n_resamples=2000, rng=0, method="percentile").confidence_interval
    low, high = float(interval.low), float(interval.high)
    return WordFigures(word, int(has.sum()), auc, gap, float(gains.mean()), low, high)


def table(rows: Sequence[WordFigures]) -> list[str]:
    """Markdown: the words that the judge sees in real pictures, then what they come to."""
    clear = [row for row in rows if row.gap >= CLEAR]
    lines = ["| word | products | AUC on real | real gap | gain | share |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {row.word} | {row.held_out} | {row.auc:.2f} | {row.gap:.2f} "
        f"| {row.gain:.2f} ({row.low:.2f} to {row.high:.2f}) | {row.share:.2f} |"
        for row in clear
    ]
    reached = sum(row.share >= REACHED for row in clear)
    nothing = sum(row.gain < NOTHING for row in clear)
    unseen = ", ".join(row.word for row in rows if row.gap < CLEAR)
    return [
        *lines,
        "",
        f"{len(rows)} words judged, {len(clear)} of them with a real gap of at least {CLEAR}: {reached} reach "
        f"{REACHED} of it, {nothing} gain less than {NOTHING}. Not told apart on real pictures: {unseen or 'none'}.",
    ]


def main() -> None:
    """Draw, teach, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="restgan-tiny", help="folder of a ReStGAN, or its name in models/")
    parser.add_argument("--work", type=Path, default=Path(".selvedge/restgan-words"), help="where bottoms are drawn")
    parser.add_argument("--products", type=int, default=PRODUCTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    model = load_artefact(base_folder(options.model))
    bottoms = fresh_bottoms(options.work, model.side, options.products)
    judge = Judge(load_base(models_folder() / "blip2-tiny"))
    print("\n".join(table(measure(model, bottoms, judge))))


if __name__ == "__main__":
    main()
