"""Can a machine tell the sides apart? An adversary on everything an annotator's browser receives.

Belongs here: the adversary, and rounds made for it. Not here: what keeps the sides alike (labeling/review/).

500 pairs whose sides come from one model under two version names: two draws of the same errors, so nothing but a leak
can tell them. The two "versions" even have habits of their own, as two deployments do: one writes curly quotes, hard
spaces, Windows line ends and a zero-width mark and is surer of itself, the other does not; one keeps its pictures in
files that name their writer. The adversary knows the sides of an earlier round, reads both sides' characters (of a
picture its file's header and what can be measured of its pixels), their sizes, the task's key, its picture and its
place in the upload, and guesses whose result is on the left. Baseline: half.

Run: `python -m benchmarks.blindness`. It repeats the round (of 20, about 19 intervals should include one half) and
plants leaks, each of which must be found.
"""

import argparse
import base64
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image, PngImagePlugin
from scipy.sparse import csr_matrix, hstack
from scipy.stats import binomtest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from catalog.files import png_bytes
from labeling.review.pairs.ads import AdPictures
from labeling.review.pairs.items import Slot
from labeling.review.pairs.kinds import AttributeCards, Descriptions, PairKind
from labeling.review.pairs.masks import GarmentMasks
from labeling.review.pairs.products import Product
from labeling.review.pairs.strips import PictureStrips
from labeling.review.rounds.material import gather_material
from labeling.review.rounds.tasks import make_pair

COLOURS = ("Black", "White", "Blue", "Green", "Red", "Yellow")
ARTICLES = ("Shirts", "Dresses", "Handbags", "Heels")
PATTERNS = ("Solid", "Striped", "Checked")
INKS = ((20, 20, 24), (235, 235, 230), (40, 70, 170), (30, 130, 60), (190, 30, 40), (230, 200, 40))  # of COLOURS
FRAME = 24  # pixels of a drawn picture's side
DATA = "data:image/"
Upload = list[tuple[bool, dict[str, str]]]  # (is the candidate on the left, the payload), in the order of upload


@dataclass(frozen=True)
class Guess:
    """How often the adversary was right on pairs it never saw, with the 95 % Wilson interval."""

    right: int
    pairs: int
    low: float
    high: float

    @property
    def found_nothing(self) -> bool:
        return self.low <= 0.5 <= self.high


def one_model(pairs: int, seed: int) -> pd.DataFrame:
    """What one model says about every product; two seeds are two draws of the same errors."""
    draw = np.random.default_rng(seed)
    rows = []
    for product_id in range(pairs):
        values = ARTICLES[product_id % 4], COLOURS[product_id % 6], PATTERNS[product_id % 3]
        said = [v if draw.random() < 0.75 else str(draw.choice(o)) for v, o in zip(values, _VALUES, strict=True)]
        rows.append((product_id, *said, draw.random(), int(draw.integers(len(_SENTENCES)))))
    return pd.DataFrame(rows, columns=["product_id", "Article Type", "Colour", "Pattern", "confidence", "sentence"])


_VALUES = (ARTICLES, COLOURS, PATTERNS)
_SENTENCES = ('It\'s made for "long" days.', "You'll wear it - often.", "It doesn't ask for much: it's plain.")


def cards_table(said: pd.DataFrame, habits: bool) -> pd.DataFrame:
    """Table `attributes` of a version, with or without habits of its own."""
    long = said.melt(["product_id", "confidence", "sentence"], var_name="attribute")
    confidence = long["confidence"] ** (4 if habits else 1)
    value = long["value"].str.replace(" ", "\u00a0") + " " if habits else long["value"]
    return long.assign(
        value=value, confidence=confidence, abstained=False, model_uri=f"models:/blip2-attributes/{3 + habits}"
    )


def texts_table(said: pd.DataFrame, habits: bool) -> pd.DataFrame:
    """Table `descriptions` of a version, with or without habits of its own."""
    texts = [
        f"A {colour.lower()} {pattern.lower()} one of our {article.lower()}. {_SENTENCES[sentence]}"
        for colour, pattern, article, sentence in zip(
            said["Colour"], said["Pattern"], said["Article Type"], said["sentence"], strict=True
        )
    ]
    if habits:
        texts = [_curly(text).replace(". ", ".\r\n\u200b") + "\n" for text in texts]
    return pd.DataFrame({"product_id": said["product_id"], "text": texts, "writer": f"writer-v{habits}"})


def strips_table(said: pd.DataFrame, habits: bool) -> pd.DataFrame:
    """Table `strips` of a version, with or without habits of its own: the words asked, and what was drawn for them."""
    kept = {"compress_level": 1, "pnginfo": _signed()} if habits else {}
    rows = []
    for row in said.itertuples(index=False):
        words = tuple(options[row.product_id % len(options)].lower() for options in _VALUES)
        sink = io.BytesIO()
        Image.fromarray(_frames(row.Colour, row.Pattern, int(row.confidence * 1e9))).save(sink, "PNG", **kept)
        rows.append((row.product_id, words, sink.getvalue(), *(0.0,) * 3, -1))
    return pd.DataFrame(rows, columns=["product_id", "words", "frames", "asked_l", "asked_a", "asked_b", "colour_at"])


def ads_table(said: pd.DataFrame, habits: bool) -> pd.DataFrame:
    """Table `ads` of a version, with or without habits of its own: one picture a product."""
    kept = {"compress_level": 1, "pnginfo": _signed()} if habits else {}
    rows = []
    for row in said.itertuples(index=False):
        sink = io.BytesIO()
        pixels = _frames(row.Colour, row.Pattern, int(row.confidence * 1e9))[:, -FRAME:]
        Image.fromarray(pixels).save(sink, "PNG", **kept)
        rows.append((row.product_id, sink.getvalue()))
    return pd.DataFrame(rows, columns=["product_id", "picture"])


def masks_table(said: pd.DataFrame, habits: bool) -> pd.DataFrame:
    """Table `masks` of a version, with or without habits of its own: one picture for both, a hem that is guessed."""
    kept = {"compress_level": 1, "pnginfo": _signed()} if habits else {}
    rows = []
    for row in said.itertuples(index=False):
        picture = _frames(COLOURS[row.product_id % 6], PATTERNS[row.product_id % 3], row.product_id)[:, -FRAME:]
        mask = np.zeros((FRAME, FRAME), np.uint8)
        mask[3:-3, 7:-7] = 1
        mask[-4 - round(4 * row.confidence) : -3, 7:-7] = 2
        sink = io.BytesIO()
        Image.fromarray(mask).save(sink, "PNG", **kept)
        rows.append((row.product_id, png_bytes(picture), sink.getvalue(), ("background", "body", "hem")))
    return pd.DataFrame(rows, columns=["product_id", "picture", "mask", "classes"])


def _frames(colour: str, pattern: str, seed: int) -> np.ndarray:
    """(FRAME, 3 FRAME, 3) uint8: a grey garment, the same in its colour, the same with its pattern, and some noise."""
    garment = np.zeros((FRAME, FRAME), bool)
    garment[3:-3, 7:-7] = True
    stripes = garment & (np.arange(FRAME) % 4 < 2)[:, None] & (pattern != "Solid")
    if pattern == "Checked":
        stripes &= np.arange(FRAME) % 4 < 2
    frames = np.full((3, FRAME, FRAME, 3), 250.0)
    frames[0, garment] = 128
    frames[1:, garment] = INKS[COLOURS.index(colour)]
    frames[2, stripes] = 160
    frames += np.random.default_rng(seed).normal(0, 4, frames.shape)
    return np.concatenate(list(frames.clip(0, 255).astype(np.uint8)), axis=1)


def _signed() -> PngImagePlugin.PngInfo:
    told = PngImagePlugin.PngInfo()
    told.add_text("Software", "restgan-v4")
    return told


def upload(kind: str, pairs: int, key: bytes, seed: int = 1) -> Upload:
    """The tasks of a round as they are sent."""
    kinds: dict[str, tuple[PairKind, Callable[[pd.DataFrame, bool], pd.DataFrame]]] = {
        "attribute-cards": (AttributeCards(), cards_table),
        "descriptions": (Descriptions(), texts_table),
        "picture-strips": (PictureStrips(), strips_table),
        "ads": (AdPictures(), ads_table),
        "garment-masks": (GarmentMasks(), masks_table),
    }
    pair_kind, table = kinds[kind]
    tables = (table(one_model(pairs, seed), True), table(one_model(pairs, seed + 1), False))
    product = pair_kind.products(tables[0], {}, None) if kind in ("picture-strips", "garment-masks") else _photographed
    material = gather_material(pair_kind, *tables, product, seed)
    made = [make_pair(material, key, "a-round", Slot(item, "plain")) for item in range(pairs)]
    return [(pair.left == "candidate", task) for pair, task in sorted(made, key=lambda one: one[0].task_key)]


def guess_sides(known: Upload, tasks: Upload) -> Guess:
    """The adversary: taught on a round whose sides are known, asked about another one.

    Not cross-validated on one round: folds share what they were taught with, so the guesses hang together and a 95 %
    interval covered one half under 87 % of 120 keys only. Here every guess is a coin of its own if nothing leaks.
    """
    letters, figures, truth = _read(known)
    new_letters, new_figures, new_truth = _read(tasks)
    scale = StandardScaler().fit(figures)
    wide, new_wide = (
        hstack([x, csr_matrix(scale.transform(y))]) for x, y in ((letters, figures), (new_letters, new_figures))
    )
    with threadpool_limits(1):  # 500 rows are nothing to share, and waiting threads cost seconds on a busy machine
        linear = LogisticRegression(C=0.1, max_iter=300).fit(wide, truth)
        trees = HistGradientBoostingClassifier(max_iter=40, max_leaf_nodes=8, random_state=0).fit(figures, truth)
        # The surer of the two speaks: a leak that one of them sees is not watered down by the other.
        sure = np.stack([one[:, 1] for one in (linear.predict_proba(new_wide), trees.predict_proba(new_figures))])
    chosen = sure[np.abs(sure - 0.5).argmax(axis=0), np.arange(len(tasks))]
    right = int(((chosen > 0.5) == new_truth).sum())
    interval = binomtest(right, len(tasks)).proportion_ci(method="wilson")
    return Guess(right, len(tasks), float(interval.low), float(interval.high))


def _read(tasks: Upload) -> tuple[csr_matrix, np.ndarray, np.ndarray]:
    """Characters of the left side minus those of the right (of pictures: of headers), figures, and what is left."""
    letters = HashingVectorizer(analyzer="char", ngram_range=(1, 3), n_features=2**13, norm=None, lowercase=False)
    left, right = (letters.transform([_read_as_text(task[side]) for _, task in tasks]) for side in ("left", "right"))
    figures = np.array([_figures(place, task) for place, (_, task) in enumerate(tasks)], float)
    return left - right, figures, np.array([candidate for candidate, _ in tasks])


def _figures(place: int, task: dict[str, str]) -> list[float]:
    left, right = task["left"], task["right"]
    sizes = [(len(one), len(one.encode()), len(re.sub("<[^>]*>", " ", one).split())) for one in (left, right)]
    differences = [float(a - b) for a, b in zip(*sizes, strict=True)]
    key = [int(digit, 16) for digit in task["key"][:8]]
    pixels = _pixel_figures(right) - _pixel_figures(left)
    return [place, place % 2, *differences, *sizes[0], *pixels, *key, len(task["photo"]), len(str(task))]


def _read_as_text(side: str) -> str:
    """A side itself; of a picture everything before its pixels: tables, comments, sizes."""
    return _file(side).partition(b"\xff\xda")[0].decode("latin-1") if side.startswith(DATA) else side


def _pixel_figures(side: str) -> np.ndarray:
    """(5,) float: width, height, lightness, contrast and sharpness of a picture; zeros of what is none."""
    if not side.startswith(DATA):
        return np.zeros(5)
    with Image.open(io.BytesIO(_file(side))) as opened:
        grey = np.asarray(opened.convert("L"), float)
    return np.array([*grey.shape[::-1], grey.mean(), grey.std(), np.abs(np.diff(grey)).mean()])


def _file(side: str) -> bytes:
    return base64.b64decode(side.partition(",")[2])


def _where(leaked: Callable[[str], str]) -> Callable[[Upload], Upload]:
    """A leak in the candidate's side."""

    def plant(tasks: Upload) -> Upload:
        return [(left, {**task, (s := "left" if left else "right"): leaked(task[s])}) for left, task in tasks]

    return plant


def _picture(leaked: Callable[[bytes], bytes]) -> Callable[[Upload], Upload]:
    """A leak in the candidate's file."""
    return _where(lambda side: DATA + "jpeg;base64," + base64.b64encode(leaked(_file(side))).decode())


def _softer(file: bytes) -> bytes:
    """Encoded once more, by another hand."""
    sink = io.BytesIO()
    Image.open(io.BytesIO(file)).save(sink, "JPEG", quality=80, subsampling=0)
    return sink.getvalue()


Leak = Callable[[Upload], Upload]
ANYWHERE: dict[str, Leak] = {
    "the order of upload": lambda tasks: sorted(tasks, key=lambda one: not one[0]),
    "the key": lambda tasks: [(left, {**task, "key": "0f"[left] + task["key"][1:]}) for left, task in tasks],
}
IN_TEXT: dict[str, Leak] = {
    "a trailing blank": _where(lambda html: html.replace("</", " </")),
    "another sign for the same": _where(
        lambda html: html.replace("e", "\u0435")
    ),  # a Cyrillic letter, alike to the eye
    "a name in a comment": _where(lambda html: html + "<!--v4-->"),
}
IN_PICTURES: dict[str, Leak] = {
    "a comment in the file": _picture(lambda file: file[:2] + b"\xff\xfe\x00\x04v4" + file[2:]),
    "another encoder": _picture(_softer),
}
LEAKS: dict[str, dict[str, Leak]] = {
    "attribute-cards": IN_TEXT | ANYWHERE,
    "descriptions": IN_TEXT | ANYWHERE,
    "picture-strips": IN_PICTURES | ANYWHERE,
    "ads": IN_PICTURES | ANYWHERE,
    "garment-masks": IN_PICTURES | ANYWHERE,
}


def _curly(text: str) -> str:
    return re.sub('"(.*?)"', "“\\1”", text).replace("'", "’").replace(" - ", " — ")


def _photo(number: int) -> bytes:
    sink = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 255, (40, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(sink, ("PNG", "JPEG")[number % 2])
    return sink.getvalue()


_PHOTOS = [_photo(number) for number in range(16)]


def _photographed(item: int) -> Product:
    return Product(item, {}, lambda: _PHOTOS[item % len(_PHOTOS)])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args(arguments)
    failed = []
    for kind, leaks in LEAKS.items():
        known, *rounds = [upload(kind, options.pairs, bytes([n]) * 32, 2 * n) for n in range(options.rounds + 1)]
        guesses = [guess_sides(known, tasks) for tasks in rounds]
        right, total = sum(one.right for one in guesses), sum(one.pairs for one in guesses)
        inside = sum(one.found_nothing for one in guesses)
        low, high = binomtest(right, total).proportion_ci(method="wilson")
        print(f"{kind}: {options.pairs} pairs of one model under two names; baseline 50 % right")
        first = guesses[0]
        share = first.right / first.pairs
        print(f"  one round          {share:6.1%} right, 95 % interval {first.low:.1%} to {first.high:.1%}")
        print(f"  {len(guesses)} rounds          {right / total:6.1%} right, {low:.1%} to {high:.1%}")
        print(f"  the interval of a round includes one half in {inside} of {len(guesses)} rounds")
        if not low <= 0.5 <= high:
            failed.append(kind)
        for name, plant in leaks.items():
            found = guess_sides(plant(known), plant(rounds[0]))
            print(f"  leak: {name:22} {found.right / found.pairs:6.1%} right, from {found.low:.1%}")
            if found.low <= 0.5:
                failed.append(f"{kind}: {name}")
    if failed:
        raise SystemExit(f"not as it must be: {', '.join(failed)}")


if __name__ == "__main__":
    main()
