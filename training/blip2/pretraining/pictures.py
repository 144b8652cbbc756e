"""Drawing the corpus: pictures, part maps and tokenised sentences, on every core, into flat files that a later run reuses.

Belongs here: what one picture of the corpus is, the workers, the files.
Not here: tensors and batches (corpus.py), drawing itself (catalog/drawn/). No torch: the workers must start quickly.
"""

import hashlib
import io
import json
import multiprocessing
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tokenizers import Tokenizer

import catalog.drawn
from catalog.drawn.world import SHAPES, WorldScene, rgb_to_lab, sample_scene
from catalog.drawn.world_canvas import draw_world
from training.blip2.pretraining.facts import KINDS, Fact, ask, caption
from training.blip2.pretraining.garment_text import garment_facts, garment_subject
from training.blip2.pretraining.recipe import Recipe
from training.blip2.pretraining.world_text import scene_facts, scene_subject

CHUNK = 64
SIDE = 128
CAPTION_WORDS, QUESTION_WORDS, ANSWER_WORDS = 32, 36, 20  # tokens, longer questions are asked again another way
# Classes of the part map: 0-31 as catalog/drawn/parts.py numbers a garment's, then those of the world.
WORLD_PARTS = 32
PART_CLASSES = WORLD_PARTS + len(SHAPES) + 10
QUESTION_KINDS = (*(name for name, _ in KINDS), "caption")
_TEXT_STREAM = 0x7E57
_EOS = 1

Lab = tuple[float, float, float]
Phrase = tuple[str, str]


@dataclass(frozen=True)
class Described:
    """What is true of one picture: how captions begin, facts, and its main colour where it has one."""

    subject: str
    facts: list[Fact]
    lab: Lab | None


def describe_garment(seed: int, number: int, rng: np.random.Generator) -> Described:
    """A garment of the style `studio`; the other style is kept for tests."""
    from catalog.drawn.spec import sample_spec

    spec = sample_spec(seed, number, "studio")
    labs = np.array(spec.base_lab), np.array(spec.second_lab)
    facts = garment_facts(spec.article_type, spec.sub_category, spec.attributes, *labs)
    return Described(garment_subject(spec.article_type, rng), facts, spec.base_lab)


def describe_world(seed: int, number: int, rng: np.random.Generator) -> Described:
    scene = sample_scene(seed, number)
    colour = _main_rgb(scene)
    lab = None if colour is None else rgb_to_lab(colour)
    return Described(
        scene_subject(scene),
        scene_facts(scene, rng),
        None if lab is None else (float(lab[0]), float(lab[1]), float(lab[2])),
    )


def text_rng(seed: int, number: int) -> np.random.Generator:
    """The generator of a picture's sentences."""
    return np.random.default_rng([_TEXT_STREAM, seed, number])


def sample_sentences(recipe: Recipe, pictures: int) -> tuple[list[str], list[Phrase]]:
    """Sentences and (topic, answer) pairs of the first pictures of each kind, for the tokenizer and the phrase table."""
    sentences: list[str] = []
    phrases: dict[Phrase, None] = {}
    for describe, seed, count in (
        (describe_garment, recipe.garment_seed, recipe.garments),
        (describe_world, recipe.world_seed, recipe.worlds),
    ):
        for number in range(min(count, pictures)):
            rng = text_rng(seed, number)
            described = describe(seed, number, rng)
            sentences += [caption(described.subject, described.facts, rng) for _ in range(2)]
            for fact in described.facts:
                phrases[(fact.topic, fact.answers[0])] = None
            for index in rng.integers(0, len(described.facts), 10):
                # Invented words would fill the vocabulary with themselves; a few suffice to learn their letters.
                kind = "copy" if rng.random() < 0.1 else str(rng.choice(["open", "open", "choice", "truth", "form"]))
                asked = ask(described.facts[int(index)], rng, kind)
                sentences += [f"Question: {asked.question} Answer:", asked.answer]
    return sentences, sorted(phrases)


def draw_corpus(
    folder: Path, recipe: Recipe, tokenizer: Path, phrases: list[Phrase], workers: int | None = None,
    finished: Callable[[str, int, int], None] | None = None,
) -> None:  # fmt: skip
    """Write the corpus's arrays under `folder`: garments first, then the world. A folder already whole is left as it is.

    Arrays (n pictures): images (n, 128, 128, 3) uint8, parts (n, 128, 128) uint8, captions (n, captions, 32) int16,
    questions and answers (n, questions, words) int16 (0 pads), kinds (n, questions) uint8 (index into `QUESTION_KINDS`), phrases (n, most) int16 (-1 pads), lab (n, 3) float32 (NaN
    where a picture has no main colour). `finished(kind, first row, last row + 1)` is called for each run of rows that
    is whole, in no fixed order, so that training can start while the rest is drawn.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "phrases.json").write_text(json.dumps(phrases))
    marker = folder / "done.json"
    wanted = json.dumps(corpus_key(recipe, tokenizer), sort_keys=True)
    if marker.is_file() and marker.read_text() == wanted:
        if finished:
            finished("garment", 0, recipe.garments)
            finished("world", recipe.garments, recipe.garments + recipe.worlds)
        return
    marker.unlink(missing_ok=True)
    total = recipe.garments + recipe.worlds
    for name, (shape, dtype) in array_shapes(recipe).items():
        np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=dtype, shape=(total, *shape)).flush()
    jobs = [
        (kind, start, min(start + CHUNK, count))
        for kind, count in (("garment", recipe.garments), ("world", recipe.worlds))
        for start in range(0, count, CHUNK)
    ]
    # In mixed order: who starts training early sees both kinds.
    np.random.default_rng(recipe.seed).shuffle(jobs)
    # Workers are spawned: this process may already hold a GPU and many threads, which do not survive a fork.
    context = multiprocessing.get_context("spawn")
    count = workers or len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(
        count, mp_context=context, initializer=_start, initargs=(folder, recipe, tokenizer)
    ) as pool:
        for future in as_completed([pool.submit(_draw_chunk, *job) for job in jobs]):
            if finished:
                finished(*future.result())
            else:
                future.result()
    marker.write_text(wanted)


def array_shapes(recipe: Recipe) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shape per picture and dtype of every array of the corpus."""
    return {
        "images": ((SIDE, SIDE, 3), "uint8"),
        "parts": ((SIDE, SIDE), "uint8"),
        "captions": ((recipe.captions, CAPTION_WORDS), "int16"),
        "questions": ((recipe.questions, QUESTION_WORDS), "int16"),
        "answers": ((recipe.questions, ANSWER_WORDS), "int16"),
        "kinds": ((recipe.questions,), "uint8"),
        "phrases": ((72,), "int16"),
        "lab": ((3,), "float32"),
    }


def corpus_key(recipe: Recipe, tokenizer: Path | None) -> dict[str, Any]:
    """What the arrays depend on: counts, seeds, and the code that draws and writes."""
    digest = hashlib.sha256(tokenizer.read_bytes() if tokenizer else b"")
    folders = (Path(catalog.drawn.__file__).parent, Path(__file__).parent)
    for file in sorted(file for folder in folders for file in folder.glob("*.py")):
        if (
            file.parent == folders[0]
            or file.name.endswith("_text.py")
            or file.name in ("facts.py", "words.py", "pictures.py")
        ):
            digest.update(file.read_bytes())
    names = ("garments", "worlds", "garment_seed", "world_seed", "captions", "questions", "draw_size", "vocabulary")
    return {name: getattr(recipe, name) for name in names} | {"code": digest.hexdigest()}


def garment_image(seed: int, number: int, draw_size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A garment as the encoder will meet it, saved as JPEG and made small, and its part map at the same size."""
    from catalog.drawn.garments import draw_garment
    from catalog.drawn.spec import sample_spec

    drawing = draw_garment(sample_spec(seed, number, "studio"), draw_size, "studio")
    assert drawing.parts is not None  # drawn with its parts
    held = io.BytesIO()
    Image.fromarray(drawing.image).save(held, "JPEG", quality=int(rng.integers(78, 96)))
    image = Image.open(held).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    parts = Image.fromarray(drawing.parts).resize((SIDE, SIDE), Image.Resampling.NEAREST)
    return np.asarray(image), np.asarray(parts)


# ---- in the workers --------------------------------------------------------------------------------------------------

_state: dict[str, Any] = {}


def _start(folder: Path, recipe: Recipe, tokenizer: Path) -> None:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    _state["recipe"] = recipe
    _state["tokenizer"] = Tokenizer.from_file(str(tokenizer))
    _state["arrays"] = {name: np.load(folder / f"{name}.npy", mmap_mode="r+") for name in array_shapes(recipe)}
    pairs = json.loads((folder / "phrases.json").read_text())
    _state["phrases"] = {tuple(pair): index for index, pair in enumerate(pairs)}


def _draw_chunk(kind: str, start: int, stop: int) -> tuple[str, int, int]:
    recipe, arrays = _state["recipe"], _state["arrays"]
    seed = recipe.garment_seed if kind == "garment" else recipe.world_seed
    for number in range(start, stop):
        row = number if kind == "garment" else recipe.garments + number
        rng = text_rng(seed, number)
        if kind == "garment":
            described = describe_garment(seed, number, rng)
            image, parts = garment_image(seed, number, recipe.draw_size, rng)
        else:
            described = describe_world(seed, number, rng)
            scene = sample_scene(seed, number)
            drawing = draw_world(scene, SIDE)
            image, parts = drawing.image, _world_parts(scene, drawing.parts)
        arrays["images"][row], arrays["parts"][row] = image, parts
        arrays["lab"][row] = np.nan if described.lab is None else described.lab
        _write_words(row, described, rng)
    offset = 0 if kind == "garment" else recipe.garments
    return kind, offset + start, offset + stop


def _write_words(row: int, described: Described, rng: np.random.Generator) -> None:
    recipe, arrays, phrase_ids = _state["recipe"], _state["arrays"], _state["phrases"]
    facts = described.facts
    sentences = [caption(described.subject, facts, rng) for _ in range(recipe.captions)]
    arrays["captions"][row] = _padded(sentences, CAPTION_WORDS)
    questions, answers, kinds = [], [], []
    for index in rng.integers(0, len(facts), recipe.questions):
        if rng.random() < 0.06:
            kind, question, answer = "caption", *_caption_question(described, rng)
        else:
            kind, question, answer = _fitting(facts[int(index)], rng)
        questions.append(question)
        answers.append(answer)
        kinds.append(QUESTION_KINDS.index(kind))
    arrays["questions"][row], arrays["answers"][row], arrays["kinds"][row] = questions, answers, kinds
    ids = [phrase_ids[pair] for fact in facts if (pair := (fact.topic, fact.answers[0])) in phrase_ids]
    width = arrays["phrases"].shape[1]
    arrays["phrases"][row] = (ids + [-1] * width)[:width]


def _fitting(fact: Fact, rng: np.random.Generator) -> tuple[str, np.ndarray, np.ndarray]:
    """Kind and token ids of a question and its answer that fit the arrays; long ones are asked again, at last as a plain question."""
    for kind in (None, None, "open", "open"):
        asked = ask(fact, rng, kind)
        question, answer = _ids(f"Question: {asked.question} Answer:"), [*_ids(asked.answer), _EOS]
        if len(question) <= QUESTION_WORDS and len(answer) <= ANSWER_WORDS:
            break
    return asked.kind, _row(question, QUESTION_WORDS), _row(answer, ANSWER_WORDS)


def _caption_question(described: Described, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    asked = ("describe the picture", "what do you see here", "say in a few words what is shown")[int(rng.integers(3))]
    answer = _ids(caption(described.subject, described.facts, rng, most=1))[: ANSWER_WORDS - 1]
    return _row(_ids(f"Question: {asked}? Answer:"), QUESTION_WORDS), _row([*answer, _EOS], ANSWER_WORDS)


def _ids(text: str) -> list[int]:
    ids: list[int] = _state["tokenizer"].encode(text, add_special_tokens=False).ids
    return ids


def _row(ids: list[int], width: int) -> np.ndarray:
    out = np.zeros(width, np.int16)
    out[: min(len(ids), width)] = ids[:width]
    return out


def _padded(sentences: Iterable[str], width: int) -> np.ndarray:
    return np.stack([_row([*_ids(sentence)[: width - 1], _EOS], width) for sentence in sentences])


def _main_rgb(scene: WorldScene) -> tuple[int, int, int] | None:
    """The colour of the one thing, surface, figure or mark; None where nothing is the main one."""
    details = scene.details
    if scene.family == "things":
        only = scene.things[0]
        return only.rgb if len(scene.things) == 1 and only.texture != "fade" else None
    if scene.family == "surface":
        return details["first"] if details["texture"] != "fade" else None
    return details["rgb"] if details.get("texture") != "fade" else None


def _world_parts(scene: WorldScene, regions: np.ndarray) -> np.ndarray:
    """Region numbers of a scene as classes: a thing's class is its shape, other families have classes of their own."""
    table = np.zeros(256, np.uint8)
    first = WORLD_PARTS + len(SHAPES)
    if scene.family == "things":
        for index, thing in enumerate(scene.things, start=1):
            table[index] = WORLD_PARTS + SHAPES.index(thing.shape)
    elif scene.family == "figure":
        table[1:8] = np.arange(first, first + 7)
    else:
        table[1] = first + {"surface": 7, "lines": 8, "letter": 9}[scene.family]
    return table[regions]
