"""Discovery: are the products nearest to a drawn picture what was asked for, when no title says so?

Belongs here: queries, rankings and their table; what one more word costs on the way to products. Not here: the data
sets, judges and trainings (restgan_runs.py writes them into OUT), the figures themselves (evaluation/retrieval.py).

Products of part test are ranked, which neither the generator nor the judge was trained on. Words for type, colour and
gender are removed from their titles; a grade is how many of the asked three a product has by its catalogue labels.

  attributes     each combination that occurs, as a shopper says it: "women black pants". Nothing of it is left in a
                 stripped title, so BM25 on those is a random order, by construction
  whole queries  all words of a product ("women black pants striped"); its own group is not ranked. Here what is left
                 in a title helps BM25: denim is mostly jeans

  random order         exact mean over all orders
  BM25, stripped       the baseline
  one picture          drawn, and compared by the cosine
  probabilities        nothing is drawn: the judge's log-probabilities that a product is of the classes asked for
  the page             the sum of both and of words in stripped titles, with vectors of picture and mirror image
  the page, full titles    the same with the titles as they are
  mean of N pictures   the mean vector of pictures with N noises: what a word means with less chance in it
  a real picture       one product's, in the drawn one's place; a drawn one stands for many products and may win
  BM25, full titles    the ceiling of words: titles as they are, spelt as the shopper spells
  best order           what the labels allow

Run: `python -m benchmarks.discovery --out DIR [--photographs]`, after benchmarks.restgan_runs with the same DIR.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from benchmarks.restgan_runs import DRAWN, REAL
from catalog.errors import SelvedgeError
from catalog.workspace import open_catalogue
from evaluation.hierarchical import CrossedResamples, Resampled, combine, difference
from evaluation.retrieval import best_grades, chance, gain, mean_over_queries, precision, ranked_grades
from inference.discovery.index import ProductIndex
from inference.discovery.model import DiscoveryModel, Step
from inference.discovery.order import WORD, in_order
from inference.discovery.products import TEXTS, row_schema, seen_from_both_sides
from training.attribute_judge import AttributeJudge, load_judge
from training.restgan.colours import SEVERAL
from training.restgan.dataset import Bottoms, read_bottoms
from training.restgan.sampling import RestganModel, load_artefact
from training.restgan.words import (
    GENDER_WORDS,
    IMPLIED_TYPES,
    TYPE_WORDS,
    is_colour_name,
    join_colours,
    plain_words,
    read_words,
    stack_queries,
    telling_words,
)

K, ALL = 10, 3  # places looked at; the grade of a product that has all that was asked
NOISES = 8
WHOLE_QUERIES = 500
BASELINE, PROBABILITIES, PAGE = "BM25, stripped titles", "probabilities", "the page"
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Asked:
    """Queries of one kind.

    Attributes:
        texts: as typed. groups: of each, for intervals. grades, alike: (queries, products) by colour name, and with
            colours of one cluster taken for one. left_out: (queries, products) bool. real: (queries, d) vectors of a
            real picture, NaN where there is none.
    """

    texts: list[str]
    groups: list[str]
    grades: Floats
    alike: Floats
    left_out: NDArray[np.bool_]
    real: Floats


def attribute_queries(bottoms: Bottoms, corpus: Bottoms, judge: AttributeJudge, rng: np.random.Generator) -> Asked:
    """One query for every combination of part test; the real picture is of a product of part train."""
    names = ["gender", "colour", "type"]
    rows = corpus.rows[names]
    combinations = [tuple(map(str, row)) for row in rows.drop_duplicates().itertuples(index=False)]
    combinations = sorted(one for one in combinations if all(one))
    train = bottoms.of("train")
    real = np.full((len(combinations), judge.network.head.in_features), np.nan)
    for place, wanted in enumerate(combinations):
        same = np.flatnonzero((train.rows[names].to_numpy() == np.array(wanted, object)).all(axis=1))
        if len(same):
            real[place] = judge.features(train.pictures[rng.choice(same)][None])[0]
    grades, alike = _grades(combinations, corpus)
    texts = [" ".join(one) for one in combinations]
    return Asked(texts, texts, grades, alike, np.zeros(grades.shape, bool), real)


def whole_queries(corpus: Bottoms, judge: AttributeJudge, rng: np.random.Generator) -> Asked:
    """All words of some held-out products; the real picture is the product's own."""
    rows = corpus.rows
    known = np.flatnonzero((rows[["gender", "colour", "type"]] != "").all(axis=1))
    chosen = np.sort(rng.permutation(known)[:WHOLE_QUERIES])
    some = rows.iloc[chosen]
    combinations = [tuple(map(str, row)) for row in some[["gender", "colour", "type"]].itertuples(index=False)]
    groups = rows["group_id"].to_numpy()
    grades, alike = _grades(combinations, corpus)
    left_out = groups[chosen][:, None] == groups[None]
    real = judge.features(corpus.pictures[chosen]).astype(np.float64)
    return Asked([str(q) for q in some["query"]], [str(g) for g in groups[chosen]], grades, alike, left_out, real)


def _grades(combinations: Sequence[tuple[str, ...]], corpus: Bottoms) -> tuple[Floats, Floats]:
    gender, colour, kind = (corpus.rows[name].to_numpy(object) for name in ("gender", "colour", "type"))
    clusters = np.array([corpus.colours.cluster(name) for name in colour])
    exact, alike = [], []
    for wanted_gender, wanted_colour, wanted_kind in combinations:
        others = (gender == wanted_gender).astype(float) + (kind == wanted_kind)
        cluster = corpus.colours.cluster(wanted_colour)
        same = colour == wanted_colour
        exact.append(others + same)
        alike.append(others + (same | ((clusters == cluster) & (cluster >= 0))))
    return np.array(exact, np.float64), np.array(alike, np.float64)


def title_words(titles: Sequence[str], corpus: Bottoms, stripped: bool) -> list[list[str]]:
    """The words of titles in a shopper's spelling; without those that name type, colour or gender, if `stripped`."""

    def names_one(word: str) -> bool:
        named = word in TYPE_WORDS or word in IMPLIED_TYPES or word in GENDER_WORDS or word in SEVERAL
        return named or word in corpus.colours.words or is_colour_name(word)

    read = []
    for title in titles:
        places = join_colours(plain_words(title), corpus.colours.words)
        words = [one for word in places for one in ([word] if word in corpus.colours.words else telling_words([word]))]
        words = [word for word in words if not (stripped and names_one(word))]
        read.append([GENDER_WORDS.get(word, TYPE_WORDS.get(word, word)) for word in words])
    return read


def bm25_scores(corpus: list[list[str]], queries: list[list[str]], rng: np.random.Generator) -> Floats:
    """(queries, products); equal scores, most of all those of no shared word, are ordered by chance."""
    import bm25s

    ranker = bm25s.BM25()
    ranker.index(corpus, show_progress=False)
    vocabulary = {word for title in corpus for word in title}
    scores = np.zeros((len(queries), len(corpus)))
    for row, query in enumerate(queries):
        if shared := [GENDER_WORDS.get(word, word) for word in query if GENDER_WORDS.get(word, word) in vocabulary]:
            scores[row] = ranker.get_scores(shared)
    return scores + rng.random(scores.shape) * 1e-6


def word_matches(corpus: list[list[str]], queries: list[list[str]]) -> Floats:
    """(queries, products) how many words of a query stand in a title."""
    titles = [set(title) for title in corpus]
    wanted = [{GENDER_WORDS.get(word, word) for word in query} for query in queries]
    return np.array([[len(words & title) for title in titles] for words in wanted], np.float64)


def drawn_vectors(model: RestganModel, judge: AttributeJudge, texts: Sequence[str], noises: int) -> Floats:
    """(noises, queries, d) of pictures drawn for whole queries; query i has noises of its own."""
    batch = stack_queries([model.encode(text) for text in texts])
    said = batch["words"], batch["colour_words"], batch["lengths"]
    drawn = (model.draw_last(*said, model.noise(len(texts), seed)) for seed in range(noises))
    return np.stack([judge.features(pictures) for pictures in drawn]).astype(np.float64)


def likelihoods(model: RestganModel, judge: AttributeJudge, texts: Sequence[str], vectors: Floats) -> Floats:
    """(queries, products) the judge's log-probability of the classes that each query asks for."""
    said = judge.read_features(vectors.astype(np.float32))
    scores = np.zeros((len(texts), len(vectors)))
    for row, text in enumerate(texts):
        for label, name in zip(model.encode(text).labels, ("type", "colour", "gender"), strict=True):
            scores[row] += said[name][:, label] if label >= 0 else 0.0
    return scores


def cosines(queries: Floats, products: Floats) -> Floats:
    """(queries, products)."""
    sides = (one / np.maximum(np.linalg.norm(one, axis=1, keepdims=True), 1e-12) for one in (queries, products))
    left, right = sides
    return np.asarray(left @ right.T)


def figures(asked: Asked, scores: Sequence[Floats], draws: CrossedResamples) -> list[Resampled]:
    """precision@10, nDCG@10, precision@10 with alike colours, of rankings by one or several trainings."""
    there = ~np.isnan(scores[0]).any(axis=1)
    of_training = []
    for one in scores:
        filled = np.where(there[:, None], one, 0.0)
        ranked = [ranked_grades(table, filled, K, asked.left_out) for table in (asked.grades, asked.alike)]
        best = best_grades(asked.grades, K, asked.left_out)
        of_training.append([precision(ranked[0], ALL), gain(ranked[0], best), precision(ranked[1], ALL)])
    values = np.where(there, np.array(of_training), np.nan)
    return [_mean(values[:, place], asked, draws) for place in range(3)]


def by_chance(asked: Asked, draws: CrossedResamples) -> list[Resampled]:
    """The same of a random order."""
    exact, alike = (chance(table, K, ALL, asked.left_out) for table in (asked.grades, asked.alike))
    return [_mean(one[None], asked, draws) for one in (*exact, alike[0])]


def _mean(values: Floats, asked: Asked, draws: CrossedResamples) -> Resampled:
    return mean_over_queries(np.broadcast_to(values, (draws.seeds, values.shape[1])), asked.groups, draws)


def measure(data: str, out: Path, folders: Sequence[Path]) -> None:
    """Print the tables of one data set."""
    models = [load_artefact(folder) for folder in folders]
    side = models[0].side
    bottoms = read_bottoms(out / data / f"bottoms-{side}")
    judge = load_judge(out / data / f"judge-{side}.safetensors")
    corpus = bottoms.of("test")
    products = open_catalogue(out / data / "catalogue").products.to_pandas().set_index("product_id")
    titles = [str(title) for title in products.loc[corpus.rows["product_id"], "product_display_name"]]
    vectors = judge.features(corpus.pictures).astype(np.float64)
    both = seen_from_both_sides(judge, corpus.pictures).astype(np.float64)
    print(f"\n{data}: {len(corpus):,} products of part test, {side} pixels, {len(models)} training(s)")
    kinds: dict[str, Callable[[np.random.Generator], Asked]] = {
        "attributes": lambda rng: attribute_queries(bottoms, corpus, judge, rng),
        "whole queries": lambda rng: whole_queries(corpus, judge, rng),
    }
    for kind, make in kinds.items():
        rng = np.random.default_rng(7)
        asked = make(rng)
        draws = CrossedResamples(asked.groups, len(models))
        words = [read_words(text, corpus.colours.words) for text in asked.texts]
        drawn = [drawn_vectors(model, judge, asked.texts, NOISES) for model in models]
        pictured = [cosines(one[0], vectors) for one in drawn]
        likely = [likelihoods(model, judge, asked.texts, vectors) for model in models]
        of_page = [
            cosines(one[0], both) + likelihoods(model, judge, asked.texts, both)
            for one, model in zip(drawn, models, strict=True)
        ]
        said, said_in_full = (word_matches(title_words(titles, corpus, stripped), words) for stripped in (True, False))
        table = {
            "random order": by_chance(asked, draws),
            BASELINE: figures(asked, [bm25_scores(title_words(titles, corpus, True), words, rng)], draws),
            "one picture": figures(asked, pictured, draws),
            PROBABILITIES: figures(asked, likely, draws),
            PAGE: figures(asked, [one + WORD * said for one in of_page], draws),
            f"{PAGE}, full titles": figures(asked, [one + WORD * said_in_full for one in of_page], draws),
            f"mean of {NOISES} pictures": figures(asked, [cosines(one.mean(axis=0), vectors) for one in drawn], draws),
            "a real picture": figures(asked, [cosines(asked.real, vectors)], draws),
            "BM25, full titles": figures(asked, [bm25_scores(title_words(titles, corpus, False), words, rng)], draws),
            "best order": figures(asked, [asked.grades], draws),
        }
        _print(kind, len(asked.texts), table)
    _speed(models[0], judge, vectors)


def _print(kind: str, count: int, table: dict[str, list[Resampled]]) -> None:
    head = f"{kind}, {count} queries"
    print(f"{head:26s} {f'precision@{K}':20s} {'of the baseline':>18s}  {f'nDCG@{K}':20s} alike colours")
    for name, (share, discounted, alike) in table.items():
        ratio = combine(np.divide, share, table[BASELINE][0])
        told = f"{ratio.value:.1f}x ({ratio.interval.low:.1f}-{ratio.interval.high:.1f})"
        print(f"  {name:24s} {_told(share)}  {told:>18s}  {_told(discounted)}  {alike.value:.3f}")
    print(f"  {PAGE} - {PROBABILITIES}: {_told(difference(table[PAGE][0], table[PROBABILITIES][0]))}")


def _told(figure: Resampled) -> str:
    return f"{figure.value:.3f} ({figure.interval.low:.3f}-{figure.interval.high:.3f})"


def _speed(generator: RestganModel, judge: AttributeJudge, vectors: Floats) -> None:
    """One more word, from the word to the products; and whether the index finds what comparing all finds."""
    model = DiscoveryModel(generator, judge, "models:/restgan/1")
    with tempfile.TemporaryDirectory() as folder:
        index = ProductIndex(folder, judge.digest, vectors.shape[1], model.uri)
        columns = {name: pa.array(["d"] * len(vectors)) for name in TEXTS}
        columns["product_id"] = pa.array(np.arange(len(vectors)))
        flat = pa.array(vectors.astype(np.float32).ravel())
        columns["vector"] = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
        schema = row_schema(vectors.shape[1])
        index.update_drop("d", pa.table(columns).select(schema.names).cast(schema))
        asked = model.after_each_word("women black pants")[-1].asked
        seconds: dict[str, list[float]] = {"picture": [], "vector": [], "products": []}
        same = 0
        for seed in range(30):
            growing = generator.refinement(seed)
            growing.add("women black")
            picture = _timed(seconds["picture"], lambda growing=growing: growing.add("pants"))
            vector = _timed(seconds["vector"], lambda picture=picture: model.embed(picture[None])[0])
            step = Step("pants", True, picture, vector, asked)
            order = in_order(model, None, step, ())
            _timed(seconds["products"], lambda vector=vector, order=order: index.search(vector, K, order=order))
            found = index.search(vector, K)
            nearest = np.sort(cosines(vector[None].astype(np.float64), vectors)[0])[::-1][:K]
            same += np.allclose([1 - one.distance for one in found], nearest, atol=1e-5)
    parts = {name: 1000 * float(np.median(all_of_it)) for name, all_of_it in seconds.items()}
    told = " + ".join(f"{value:.1f} ms {name}" for name, value in parts.items())
    print(f"one more word, median of 30, 1 thread: {told} = {sum(parts.values()):.1f} ms (target 50 ms)")
    print(f"  the index's {K} nearest of {len(vectors):,} are those of comparing all: {same}/30")


def _timed(into: list[float], work: Callable[[], NDArray[np.generic]]) -> NDArray[np.generic]:
    began = time.perf_counter()
    result = work()
    into.append(time.perf_counter() - began)
    return result


def finished(data: str, side: int, out: Path) -> list[Path]:
    """Artefacts of the ladder's ReStGAN runs, every seed there is.

    Raises:
        SelvedgeError: there is none yet.
    """
    found = sorted((out / "runs").glob(f"{data}-restgan-{side}-*/model"))
    if not found:
        raise SelvedgeError(f"{out}/runs holds no {data}-restgan-{side} run; run benchmarks.restgan_runs first.")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(".selvedge/restgan-ladder"), help="folder of restgan_runs")
    parser.add_argument("--model", type=Path, help="an artefact to measure on the drawn data; the ladder's runs else")
    parser.add_argument("--side", type=int, default=64, help="of the pictures of the ladder's runs")
    parser.add_argument("--photographs", action="store_true", help="also on the photographs that OUT was made from")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for data in [DRAWN, *([REAL] if arguments.photographs else [])]:
        given = [arguments.model] if arguments.model and data == DRAWN else None
        measure(data, arguments.out, given or finished(data, arguments.side, arguments.out))


if __name__ == "__main__":
    main()
