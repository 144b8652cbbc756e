"""BLIP-2 at flan-t5-xl size on a GPU: throughput and memory of answering and of LoRA, with random weights in bfloat16.

Belongs here: what `benchmarks/gpu.sh` measures of BLIP-2, its JSON and its plot. Needs torch, transformers,
tokenizers, peft; no weights are loaded and nothing is downloaded: times and memory do not depend on the values.
Run: `python -m benchmarks.gpu_blip2 OUT`.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks import attributes_speed, lora_step
from benchmarks.attributes_speed import make_case, random_base
from training.blip2.base import Base
from training.blip2.features import image_features
from training.blip2.profiles import find_profile


def device_facts() -> dict[str, Any]:
    import transformers

    properties = torch.cuda.get_device_properties(0)
    return {
        "device": properties.name,
        "memory_bytes": properties.total_memory,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "transformers": transformers.__version__,
    }


def image_throughput(base: Base, batch: int, repeats: int = 5) -> dict[str, float]:
    """Pictures per second through vision encoder and Q-Former alone: what filling the cache costs."""
    size = base.preprocessing.size
    pixels = torch.randn(batch, 3, size, size, device=base.device, dtype=torch.bfloat16)
    image_features(base.model, pixels)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    begin = time.perf_counter()
    for _ in range(repeats):
        image_features(base.model, pixels)
    torch.cuda.synchronize()
    seconds = (time.perf_counter() - begin) / repeats
    return {"batch": batch, "images_per_second": batch / seconds, "peak_bytes": torch.cuda.max_memory_allocated()}


def answer_memory(base: Base, pictures: int, batch: int) -> dict[str, int]:
    """Peak bytes of answering in batches, with and without the cache."""
    case, peaks = make_case(base, pictures), {}
    for name, way in (("uncached", attributes_speed.batched_uncached), ("cached", attributes_speed.cached_batched)):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        way(case, batch)
        peaks[name] = torch.cuda.max_memory_allocated()
    return peaks


def measure(pictures: int, single_pictures: int, batch: int) -> dict[str, Any]:
    started = time.perf_counter()
    profile = find_profile("flan-t5-xl")
    base = random_base(profile, "cuda", torch.bfloat16)
    torch.cuda.synchronize()
    report: dict[str, Any] = device_facts() | {
        "profile": profile.name,
        "weights": "random, bfloat16",
        "parameters": sum(parameter.numel() for parameter in base.model.parameters()),
        "weights_bytes": torch.cuda.memory_allocated(),
        "build_seconds": time.perf_counter() - started,
    }
    report["image_half"] = image_throughput(base, 64)
    report["attributes"] = attributes_speed.measure(base, pictures, single_pictures, batch, repeats=2)
    report["attributes_peak_bytes"] = answer_memory(base, pictures, batch)
    # bf16 weights: the layers already compute in bfloat16, autocast only brings the float32 adapter along.
    report["lora"] = [lora_step.measure(base, size, steps=8, precision="bf16") for size in (16, 64)]
    report["seconds"] = time.perf_counter() - started
    return report


def describe(report: dict[str, Any]) -> str:
    gigabytes = 1e9
    lines = [
        f"{report['device']}, torch {report['torch']}, transformers {report['transformers']}, {report['weights']}",
        f"  {report['parameters']:,} parameters, {report['weights_bytes'] / gigabytes:.1f} GB, "
        f"built in {report['build_seconds']:.1f} s",
        f"  image half {report['image_half']['images_per_second']:.0f} images/s",
        attributes_speed.describe(report["attributes"]),
        f"  peak memory uncached {report['attributes_peak_bytes']['uncached'] / gigabytes:.1f} GB, "
        f"cached {report['attributes_peak_bytes']['cached'] / gigabytes:.1f} GB",
    ]
    for lora in report["lora"]:
        peak = lora["peak_bytes"]
        lines += [
            lora_step.describe(lora),
            f"  peak memory full {peak['full'] / gigabytes:.1f} GB, cached {peak['cached'] / gigabytes:.1f} GB",
        ]
    return "\n".join([*lines, f"{report['seconds']:.0f} s in all"])


def plot(report: dict[str, Any], file: Path) -> None:
    """Throughput of both comparisons as bars."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rates, lora = report["attributes"]["images_per_second"], report["lora"][-1]["samples_per_second"]
    panels = [
        (
            "8 questions a picture, images/s",
            ["one request\neach", "batched,\nuncached", "cached +\nbatched"],
            list(rates.values()),
        ),
        (
            f"LoRA step, batch {report['lora'][-1]['batch']}, samples/s",
            ["full forward", "cached\nfeatures"],
            list(lora.values()),
        ),
    ]
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), width_ratios=[3, 2])
    for axis, (title, names, values) in zip(axes, panels, strict=True):
        bars = axis.bar(names, values, color=["#9aa5b1", "#62748a", "#c8553d"][-len(values) :], width=0.6)
        axis.bar_label(bars, [f"{value:.1f}  ({value / values[0]:.1f}x)" for value in values], padding=2, fontsize=9)
        axis.set_title(title, fontsize=10, loc="left")
        axis.spines[["top", "right"]].set_visible(False)
        axis.margins(y=0.15)
    figure.suptitle(f"BLIP-2 flan-t5-xl, {report['weights']}, {report['device']}", fontsize=10, x=0.01, ha="left")
    figure.tight_layout()
    figure.savefig(file, dpi=130)
    plt.close(figure)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pictures", type=int, default=128)
    parser.add_argument("--single-pictures", type=int, default=4)
    parser.add_argument("--batch", type=int, default=256, help="questions in a batch")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("gpu_blip2: torch sees no CUDA device on this machine; run it where one is.", file=sys.stderr)
        return 1
    arguments.out.mkdir(parents=True, exist_ok=True)
    report = measure(arguments.pictures, arguments.single_pictures, arguments.batch)
    (arguments.out / "blip2.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(describe(report))
    try:
        plot(report, arguments.out / "blip2.png")
    except ImportError:
        print("gpu_blip2: no plot, matplotlib is not installed here; the figures are in blip2.json.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
