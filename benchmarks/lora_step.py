"""One LoRA step: reading cached features against computing the image half for every example.

Belongs here: the two steps, timed on the same weights, adapter and examples; one picture per example, as training
draws them. Run: `python -m benchmarks.lora_step`.
"""

import argparse
import json
import time
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.attributes_speed import VOCABULARIES, question_of, random_base, tiny_base
from catalog.errors import SelvedgeError
from training.blip2.adapter import attach_new, detach, parameters_of, trainable
from training.blip2.answers import AnswerTrie, pad_right
from training.blip2.base import Base
from training.blip2.features import image_features
from training.blip2.fork_loss import fork_loss, gather_forks
from training.blip2.language import image_tokens
from training.blip2.profiles import find_profile
from training.blip2.settings import LoraSettings
from training.blip2.tokenizer import encode_prompt


def measure(base: Base, batch: int, steps: int, precision: str) -> dict[str, object]:
    """Samples per second of both steps, and on a GPU the peak memory of each in bytes."""
    device = base.device
    names = list(VOCABULARIES)
    tries = {
        name: AnswerTrie([f"{name}: {value}" for value in values], base.tokenizer, base.start_token)
        for name, values in VOCABULARIES.items()
    }
    prompts = [encode_prompt(base.tokenizer, base.prompt.text(question_of(names[i % 8]))) for i in range(batch)]
    asked = [tries[names[i % 8]] for i in range(batch)]
    forks = gather_forks([trie.choices[trie.answers[i % 3]] for i, trie in enumerate(asked)], device)
    question, mask = pad_right(prompts, 0, device)
    size, dtype = base.preprocessing.size, base.model.language_projection.weight.dtype
    torch.manual_seed(0)
    pixels = torch.randn(batch, 3, size, size, dtype=dtype, device=device)
    bf16 = precision == "bf16"
    cached = image_features(base.model, pixels, "bf16" if bf16 else "fp32")
    adapted = attach_new(base, LoraSettings())
    optimiser = torch.optim.AdamW(trainable(adapted).values(), 1e-3)
    adapted.train()

    def step(features: Tensor) -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            summed = fork_loss(base.model, image_tokens(base.model, features), question, mask, forks)
        (summed / batch).backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    try:
        full = _time(lambda: step(image_features(base.model, pixels, "bf16" if bf16 else "fp32")), steps, device)
        quick = _time(lambda: step(cached), steps, device)
        modules, parameters = parameters_of(adapted)
    finally:
        detach(adapted)
    return {
        "profile": base.profile.name,
        "batch": batch,
        "precision": precision,
        "modules": modules,
        "trainable": parameters,
        "samples_per_second": {"full": batch / full[0], "cached": batch / quick[0]},
        "peak_bytes": {"full": full[1], "cached": quick[1]},
        "ratio": full[0] / quick[0],
    }


def _time(step: Callable[[], None], steps: int, device: torch.device) -> tuple[float, int]:
    """(seconds of the median step, peak bytes on a GPU)."""
    cuda = device.type == "cuda"
    step()
    if cuda:
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
    taken = []
    for _ in range(steps):
        begin = time.perf_counter()
        step()
        if cuda:
            torch.cuda.synchronize(device)
        taken.append(time.perf_counter() - begin)
    return sorted(taken)[len(taken) // 2], torch.cuda.max_memory_allocated(device) if cuda else 0


def describe(figures: dict[str, object]) -> str:
    rates: dict[str, float] = figures["samples_per_second"]  # type: ignore[assignment]
    return "\n".join(
        [
            f"LoRA step, batch {figures['batch']}, {figures['profile']}, {figures['precision']}, "
            f"{figures['modules']} modules, {figures['trainable']:,} trainable",
            f"  full forward     {rates['full']:8.1f} samples/s",
            f"  cached features  {rates['cached']:8.1f} samples/s   {figures['ratio']:.2f}x",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", default="tiny")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="bf16")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.profile == "tiny":
        base, kind = tiny_base()
    elif torch.cuda.is_available():
        base, kind = random_base(find_profile(arguments.profile), "cuda", torch.bfloat16), "random weights"
    else:
        raise SelvedgeError(f"profile {arguments.profile} is measured on a GPU; this machine has none.")
    figures = measure(base, arguments.batch, arguments.steps, arguments.precision)
    figures |= {"weights": kind, "threads": arguments.threads}
    print(json.dumps(figures) if arguments.json else f"{describe(figures)}\n  {kind}, {arguments.threads} threads")


if __name__ == "__main__":
    main()
