"""Arithmetic of BLIP-2 counted from a profile: what caching image features must save, before anything is timed.

Belongs here: floating-point operations of matrix products (2 per multiply-add) and the ratios they promise. A test
holds the count to torch's own counter. Run: `python -m benchmarks.flops [PROFILE]`.
"""

import argparse
import json
from dataclasses import dataclass

from training.blip2.profiles import PROFILES, Profile, find_profile


@dataclass(frozen=True)
class Work:
    """One request: how long its texts are, in tokens.

    Attributes:
        prompt: tokens of the question with its prompt.
        nodes: decoder positions computed for one answer.
    """

    prompt: int = 20
    nodes: int = 8


def image_flops(profile: Profile) -> int:
    """Vision encoder and Q-Former for one picture."""
    vision, qformer = profile.vision, profile.qformer
    side = vision["image_size"] // vision["patch_size"]
    tokens, width = side * side + 1, vision["hidden_size"]
    total = _stem_flops(profile)
    total += vision["num_hidden_layers"] * (
        2 * tokens * (4 * width * width + 2 * width * vision["intermediate_size"]) + 4 * tokens * tokens * width
    )
    queries, inner = profile.queries, qformer["hidden_size"]
    for layer in range(qformer["num_hidden_layers"]):
        total += 2 * queries * 4 * inner * inner + 4 * queries * queries * inner
        total += 2 * queries * 2 * inner * qformer["intermediate_size"]
        if layer % qformer["cross_attention_frequency"] == 0:
            total += 2 * queries * 2 * inner * inner + 2 * tokens * 2 * width * inner + 4 * queries * tokens * inner
    return total


def question_flops(profile: Profile, work: Work) -> int:
    """Projection, T5 encoder and the decoder positions of one answer, given the picture's features."""
    text, queries = profile.text, profile.queries
    width, inner, wide = text["d_model"], text["d_kv"] * text["num_heads"], text["d_ff"]
    length, nodes = queries + work.prompt, work.nodes
    total = 2 * queries * profile.qformer["hidden_size"] * width
    total += text["num_layers"] * (2 * length * (4 * width * inner + 3 * width * wide) + 4 * length * length * inner)
    total += text["num_decoder_layers"] * (
        2 * length * 2 * width * inner
        + 2 * nodes * (6 * width * inner + 3 * width * wide)
        + 4 * nodes * (nodes + length) * inner
    )
    return total


def _stem_flops(profile: Profile) -> int:
    vision = profile.vision
    size, width = vision["image_size"], vision["hidden_size"]
    if not profile.stem_channels:
        side = size // vision["patch_size"]
        return 2 * side * side * 3 * vision["patch_size"] ** 2 * width
    widths = (*profile.stem_channels[:-1], width)
    total, before = 0, 3
    for index, after in enumerate(widths):
        size //= 2
        total += 2 * size * size * 9 * before * after
        if 0 < index < len(widths) - 1:
            total += 2 * 2 * size * size * 9 * after * after  # the residual pair
        before = after
    return total


def saving(profile: Profile, questions: int, work: Work) -> dict[str, float]:
    """Operations per picture with and without the cache, and their ratio."""
    image, question = image_flops(profile), question_flops(profile, work)
    uncached = questions * (image + question)
    cached = image + questions * question
    return {
        "image_gflops": image / 1e9,
        "question_gflops": question / 1e9,
        "uncached_gflops": uncached / 1e9,
        "cached_gflops": cached / 1e9,
        "ratio": uncached / cached,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profile", nargs="?", help=f"one of {sorted(PROFILES)}; all when left out")
    parser.add_argument("--questions", type=int, default=8)
    parser.add_argument("--prompt", type=int, default=Work.prompt)
    parser.add_argument("--nodes", type=int, default=Work.nodes)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    work = Work(arguments.prompt, arguments.nodes)
    profiles = [find_profile(arguments.profile)] if arguments.profile else list(PROFILES.values())
    figures = {profile.name: saving(profile, arguments.questions, work) for profile in profiles}
    if arguments.json:
        print(json.dumps(figures))
        return
    print(f"{arguments.questions} questions a picture, prompt {work.prompt} tokens, {work.nodes} decoder positions")
    for name, row in figures.items():
        print(
            f"  {name:12} uncached {row['uncached_gflops']:10.2f} GFLOP   cached {row['cached_gflops']:10.2f} GFLOP"
            f"   {row['ratio']:.2f}x"
        )


if __name__ == "__main__":
    main()
