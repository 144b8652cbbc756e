"""Ad images: products a second from photograph to top three, beside the same plans painted and judged one by one.

Belongs here: timing the pipeline with drawn backgrounds, seconds by stage, growth of memory. Not here: how good the
pictures are (ad_quality.py, ad_ranking.py).

Run: `python -m benchmarks.ad_speed`.
"""

import argparse
import io
import json
import time
from collections import Counter
from collections.abc import Sequence

import numpy as np
import psutil
from PIL import Image

from catalog.drawn.garments import draw_garment
from catalog.drawn.spec import sample_spec
from catalog.workers import map_in_order, usable_cores
from inference.ad_images.backdrops.studio.backdrop import Studio
from inference.ad_images.guardrails.local import LocalGuardrail
from inference.ad_images.pipeline import AdPipeline
from inference.ad_images.quality.brand import read_brand
from inference.ad_images.quality.control import judge
from inference.ad_images.refusal import AdRefused
from inference.ad_images.request import AdRequest, ListedProduct
from inference.ad_images.result import AdResult

SEED, FIRST, PHOTO = 11, 30001, 512


def request_of(product_id: int, size: int) -> AdRequest:
    """A drawn product as a JPEG of 512 pixels, with what its catalogue says of it."""
    spec = sample_spec(SEED, product_id)
    sink = io.BytesIO()
    Image.fromarray(draw_garment(spec, PHOTO, parts=False).image).save(sink, "JPEG", quality=92)
    product = ListedProduct(
        product_id, spec.display_name, spec.article_type, spec.master_category, spec.gender, spec.base_colour,
        spec.season, spec.usage, spec.brand, dict(spec.attributes),
    )  # fmt: skip
    return AdRequest(f"ad-{product_id}", sink.getvalue(), product, size=(size, size), seed=product_id)


def pipeline() -> AdPipeline:
    brand = read_brand("lifestyle")
    return AdPipeline(Studio(), brand, lambda request: LocalGuardrail(request.product.brand if request.product else ""))


def made(requests: Sequence[AdRequest]) -> tuple[list[AdResult], int]:
    """Results, and how many requests were refused."""
    maker, results = pipeline(), []
    for request in requests:
        try:
            results.append(maker.make(request))
        except AdRefused:
            continue
    return results, len(requests) - len(results)


def one_by_one(results: Sequence[AdResult]) -> float:
    """Wall seconds of painting, shading, pasting and judging every plan of the last attempt by itself."""
    maker = pipeline()
    began = time.perf_counter()
    for result in results:
        for judged in result.attempts[-1].judged:
            placed, scene = judged.picture.placed, judged.picture.scene
            (background,) = maker.backdrop.paint([scene], [placed])
            judge(maker._composed(background, placed, scene), maker.brand)  # noqa: SLF001  the stage between the two
    return time.perf_counter() - began


def _count(requests: Sequence[AdRequest]) -> int:
    return len(made(requests)[0])


def measure(products: int, size: int, workers: int) -> dict[str, float | int | dict[str, float]]:
    requests = [request_of(FIRST + number, size) for number in range(products)]
    made(requests[:4])  # textures are made once a process; leave that out
    growth = []
    for request in requests:
        made([request])
        growth.append(psutil.Process().memory_info().rss / 2**20)
    growth = growth[products // 3 :]  # textures and caches fill up first
    began = time.perf_counter()
    results, refused = made(requests)
    alone = time.perf_counter() - began
    stages: Counter[str] = Counter()
    for result in results:
        stages.update(result.seconds)  # type: ignore[arg-type]
    together = sum(stages[stage] for stage in ("background", "compositing", "quality"))
    chunks = [requests[start : start + 4] for start in range(0, products, 4)]
    list(map_in_order(_count, chunks[:2], workers=workers))
    began = time.perf_counter()
    list(map_in_order(_count, chunks, workers=workers))
    parallel = time.perf_counter() - began
    return {
        "products": products,
        "refused": refused,
        "size": size,
        "workers": workers,
        "one_process": products / alone,
        "all_processes": products / parallel,
        "plans_together_seconds": together,
        "plans_one_by_one_seconds": one_by_one(results),
        "mib_per_100_products": float(np.polyfit(np.arange(len(growth)), growth, 1)[0] * 100),
        "stages": {stage: 1000 * spent / len(results) for stage, spent in stages.most_common()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=48)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--workers", type=int, default=usable_cores())
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = measure(arguments.products, arguments.size, arguments.workers)
    if arguments.json:
        print(json.dumps(figures))
        return
    ratio = figures["plans_one_by_one_seconds"] / figures["plans_together_seconds"]  # type: ignore[operator]
    print(
        f"ads, {figures['products']} drawn products at {figures['size']} px, nine plans each, "
        f"{figures['refused']} refused"
    )
    print(f"  one process               {figures['one_process']:6.2f} products/s")
    print(f"  {arguments.workers} processes, start included {figures['all_processes']:4.2f} products/s")
    print(f"  plans painted, pasted and judged together, against one by one: {ratio:.2f}x")
    print(f"  memory grows by {figures['mib_per_100_products']:.1f} MiB per 100 products")
    for stage, milliseconds in figures["stages"].items():  # type: ignore[union-attr]
        print(f"    {stage:14} {milliseconds:7.1f} ms a product")


if __name__ == "__main__":
    main()
