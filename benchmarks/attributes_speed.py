"""Eight questions about every picture: what caching the image half and asking in batches is worth.

Belongs here: the three ways of answering, timed on the same weights, the same pictures and the same answers allowed.

  A  one request per (picture, question): preprocessing, whole model, the library's own constrained `generate`
  B  equally batched, image half computed for every question
  C  ours: image half once per picture, all questions in batches

Run: `python -m benchmarks.attributes_speed`. Random weights are used where no base is built; they cost the same time.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache, EncoderDecoderCache

from benchmarks.flops import Work, saving
from catalog.errors import SelvedgeError
from training.blip2.answers import AnswerTrie, PictureQuestion, decode_answers
from training.blip2.base import Base, build_model, load_base
from training.blip2.features import image_features, images_at_once
from training.blip2.profiles import Profile, find_profile
from training.blip2.tokenizer import encode_prompt, train_tokenizer

# Eight attributes of a shirt in the published form; vocabularies of realistic size.
VOCABULARIES = {
    "Colour": [
        "Black White Navy Blue",
        "Blue",
        "Red",
        "Green",
        "Grey",
        "Brown",
        "Pink",
        "Purple",
        "Yellow",
        "Orange",
        "Maroon",
        "Beige",
        "Olive",
        "Cream",
    ],
    "Pattern": ["Solid", "Striped", "Checked", "Dotted", "Printed"],
    "Sleeve Length": ["Long Sleeves", "Short Sleeves", "Three-Quarter Sleeves", "Sleeveless"],
    "Collar": ["Button-Down Collar", "Mandarin Collar", "Spread Collar", "Polo Collar", "Hood"],
    "Neck": ["Round Neck", "V-Neck", "Scoop Neck", "Boat Neck", "Square Neck"],
    "Fit": ["Regular Fit", "Slim Fit", "Relaxed Fit"],
    "Fabric": ["Cotton", "Denim", "Linen", "Wool", "Silk", "Leather", "Polyester"],
    "Closure": ["Button", "Zip", "Lace-Up", "Slip-On", "Buckle", "None"],
}


@dataclass(frozen=True)
class Case:
    """The same work for all three ways."""

    base: Base
    pictures: list[np.ndarray]
    asked: list[PictureQuestion]


def random_base(profile: Profile, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Base:
    """A base with random weights, built where and as it will compute, and a tokenizer that knows the questions."""
    texts = [question_of(name) for name in VOCABULARIES]
    texts += [f"Question: Answer: {name}: {value}" for name, values in VOCABULARIES.items() for value in values]
    torch.manual_seed(0)
    previous = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            model = build_model(profile).to(dtype)
    finally:
        torch.set_default_dtype(previous)
    return Base(
        model=model.requires_grad_(False),
        tokenizer=train_tokenizer(texts * 2, profile.text["vocab_size"] if profile.name == "tiny" else 2048),
        preprocessing=profile.preprocessing,
        prompt=profile.prompt,
        digest="random",
        vision_digest="random",
        profile=profile,
        folder=Path(profile.folder),
        recipe={},
    )


def question_of(attribute: str) -> str:
    return f"What is the {attribute.lower()} of the shirt in this picture?"


def make_case(base: Base, pictures: int) -> Case:
    """Pictures of noise over colour (speed does not depend on what they show), eight questions each."""
    rng = np.random.default_rng(0)
    flat = rng.integers(0, 256, (pictures, 1, 1, 3))
    drawn = [np.clip(colour + rng.integers(-60, 60, (256, 256, 3)), 0, 255).astype(np.uint8) for colour in flat]
    tries = {
        name: AnswerTrie([f"{name}: {value}" for value in values], base.tokenizer, base.start_token)
        for name, values in VOCABULARIES.items()
    }
    asked = [PictureQuestion(row, question_of(name), trie) for row in range(pictures) for name, trie in tries.items()]
    return Case(base, drawn, asked)


def one_request_each(case: Case) -> list[str]:
    """A: as a service that is asked one question at a time does it."""
    base = case.base
    config = base.model.config
    answers = []
    for asked in case.asked:
        pixels = base.preprocessing.pixels([case.pictures[asked.image]]).to(base.device, _dtype(base))
        words = encode_prompt(base.tokenizer, base.prompt.text(asked.question))
        ids = torch.tensor([[config.image_token_index] * config.num_query_tokens + words], device=base.device)
        trie = asked.trie
        tokens = base.model.generate(
            pixels,
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=max(map(len, trie.paths)),
            do_sample=False,
            num_beams=1,
            prefix_allowed_tokens_fn=lambda _, prefix, trie=trie: trie.allowed(prefix.tolist()[1:]),
            # Given here because the library sizes its own by the encoder's layers and fails on a deeper decoder.
            past_key_values=EncoderDecoderCache(DynamicCache(), DynamicCache()),
        )
        answers.append(base.tokenizer.decode(tokens[0], skip_special_tokens=True).strip())
    return answers


def batched_uncached(case: Case, batch: int) -> list[str]:
    """B: batches of questions, the image half computed for every one of them."""
    base = case.base
    squares = np.stack([base.preprocessing.square(picture) for picture in case.pictures])
    answers = []
    for start in range(0, len(case.asked), batch):
        some = case.asked[start : start + batch]
        pixels = base.preprocessing.normalised(squares[[asked.image for asked in some]]).to(_dtype(base))
        features = _features(base, pixels)
        rows = [PictureQuestion(row, asked.question, asked.trie) for row, asked in enumerate(some)]
        answers += _texts(base, features, rows)
    return answers


def cached_batched(case: Case, batch: int) -> list[str]:
    """C: the image half once per picture; questions in the same batches as B."""
    base = case.base
    features = _features(base, base.preprocessing.pixels(case.pictures).to(_dtype(base)))
    answers = []
    for start in range(0, len(case.asked), batch):
        answers += _texts(base, features, case.asked[start : start + batch])
    return answers


def _features(base: Base, pixels: Tensor) -> Tensor:
    """The image half, in the same portions for B and C."""
    return torch.cat([image_features(base.model, part) for part in pixels.split(images_at_once(base.device))])


def _texts(base: Base, features: Tensor, asked: Sequence[PictureQuestion]) -> list[str]:
    scores = decode_answers(base, features, asked)
    return [one.trie.answers[score.answer_index] for one, score in zip(asked, scores, strict=True)]


def _dtype(base: Base) -> torch.dtype:
    return base.model.language_projection.weight.dtype


def seconds(work: Callable[[], list[str]], device: torch.device, repeats: int = 1) -> tuple[float, list[str]]:
    """Best of some runs, after whatever came before on the device is finished."""
    best, answers = float("inf"), []
    for _ in range(repeats):
        _wait(device)
        begin = time.perf_counter()
        answers = work()
        _wait(device)
        best = min(best, time.perf_counter() - begin)
    return best, answers


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measure(base: Base, pictures: int, single_pictures: int, batch: int, repeats: int = 3) -> dict[str, object]:
    """Time the three ways. A is timed on fewer pictures: it is slow, and does not get faster with more."""
    case, few = make_case(base, pictures), make_case(base, single_pictures)
    cached_batched(few, batch)  # warm-up: allocators, kernels, lazily built trees
    one_request_each(Case(base, few.pictures[:1], few.asked[:8]))
    single, single_answers = seconds(lambda: one_request_each(few), base.device)
    uncached, uncached_answers = seconds(lambda: batched_uncached(case, batch), base.device, repeats)
    cached, cached_answers = seconds(lambda: cached_batched(case, batch), base.device, repeats)
    few_answers = cached_batched(few, batch)
    first = case.asked[: len(VOCABULARIES)]
    prompts = [len(encode_prompt(base.tokenizer, base.prompt.text(asked.question))) for asked in first]
    nodes = [asked.trie.forks.inputs.shape[1] for asked in first]
    flops = saving(base.profile, len(VOCABULARIES), Work(round(float(np.mean(prompts))), round(float(np.mean(nodes)))))
    rates = {"single": single_pictures / single, "uncached": pictures / uncached, "cached": pictures / cached}
    return {
        "profile": base.profile.name,
        "pictures": pictures,
        "questions": len(VOCABULARIES),
        "batch_questions": batch,
        "images_per_second": rates,
        "against_single": rates["cached"] / rates["single"],
        "against_uncached": rates["cached"] / rates["uncached"],
        "flops_ratio": flops["ratio"],
        "share_of_flops_ratio": rates["cached"] / rates["uncached"] / flops["ratio"],
        "same_answers_single": [
            sum(a == b for a, b in zip(single_answers, few_answers, strict=True)),
            len(few_answers),
        ],
        "same_answers_uncached": [
            sum(a == b for a, b in zip(uncached_answers, cached_answers, strict=True)),
            len(cached_answers),
        ],
    }


def describe(figures: dict[str, object]) -> str:
    rates: dict[str, float] = figures["images_per_second"]  # type: ignore[assignment]
    same: list[int] = figures["same_answers_single"]  # type: ignore[assignment]
    same_uncached: list[int] = figures["same_answers_uncached"]  # type: ignore[assignment]
    return "\n".join(
        [
            f"attributes, {figures['questions']} questions, {figures['pictures']} pictures, {figures['profile']}",
            f"  A one request per question   {rates['single']:8.2f} images/s",
            f"  B batched, uncached          {rates['uncached']:8.2f} images/s",
            f"  C cached + batched           {rates['cached']:8.2f} images/s",
            f"  C/A {figures['against_single']:6.1f}x   (identical answers: {same[0]}/{same[1]})",
            f"  C/B {figures['against_uncached']:6.2f}x   = {figures['share_of_flops_ratio']:.2f} of the FLOPs ratio "
            f"{figures['flops_ratio']:.2f}   (identical answers: {same_uncached[0]}/{same_uncached[1]})",
        ]
    )


def tiny_base() -> tuple[Base, str]:
    """The shipped base, or random weights of its size where none is built."""
    try:
        return load_base("tiny"), "shipped weights"
    except SelvedgeError:
        return random_base(find_profile("tiny")), "random weights"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=128)
    parser.add_argument("--single-pictures", type=int, default=8)
    parser.add_argument("--batch", type=int, default=256, help="questions in a batch")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    base, kind = tiny_base()
    figures = measure(base, arguments.pictures, arguments.single_pictures, arguments.batch)
    figures |= {"weights": kind, "threads": arguments.threads}
    print(json.dumps(figures) if arguments.json else f"{describe(figures)}\n  {kind}, {arguments.threads} threads")


if __name__ == "__main__":
    main()
