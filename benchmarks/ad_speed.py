"""Ad images: products a second from photograph to top three, and what nine plans of one request share.

Belongs here: timing the pipeline with drawn backgrounds, seconds by stage. Not here: growth of memory (ad_memory.py),
how good the pictures are (ad_quality.py, ad_gains.py).

Nine plans of one request are compared with two baselines, in the same process, by processor seconds:

- nine requests of one plan each: everything again for every plan, the cut-out first of all;
- the same cut-out and plans, but each plan painted, shaded, pasted and judged by itself.

Run: `python -m benchmarks.ad_speed` (`--size 1024 --photo 1024` for large pictures).
"""

import argparse
import io
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from PIL import Image

from catalog.drawn.garments import draw_garment
from catalog.drawn.spec import sample_spec
from catalog.workers import map_in_order, usable_cores
from inference.ad_images.backdrops.studio.backdrop import Studio
from inference.ad_images.composition import Grid
from inference.ad_images.finding import Strictness
from inference.ad_images.guardrails.local import LocalGuardrail
from inference.ad_images.pipeline import AdPipeline
from inference.ad_images.quality.brand import read_brand
from inference.ad_images.quality.control import judge
from inference.ad_images.refusal import AdRefused
from inference.ad_images.request import AdRequest, ListedProduct
from inference.ad_images.result import AdResult

SEED, FIRST, PHOTO = 11, 30001, 512


def request_of(product_id: int, size: int, photo: int = PHOTO) -> AdRequest:
    """A drawn product as a JPEG of `photo` pixels a side, with what its catalogue says of it."""
    spec = sample_spec(SEED, product_id)
    sink = io.BytesIO()
    Image.fromarray(draw_garment(spec, photo, parts=False).image).save(sink, "JPEG", quality=92)
    product = ListedProduct(
        product_id, spec.display_name, spec.article_type, spec.master_category, spec.gender, spec.base_colour,
        spec.season, spec.usage, spec.brand, dict(spec.attributes),
    )  # fmt: skip
    return AdRequest(f"ad-{product_id}", sink.getvalue(), product, size=(size, size), seed=product_id)


def pipeline() -> AdPipeline:
    brand = read_brand("lifestyle")
    return AdPipeline(Studio(), brand, lambda request: LocalGuardrail(request.product.brand if request.product else ""))


def made(requests: Sequence[AdRequest], maker: AdPipeline | None = None) -> tuple[list[AdResult], int]:
    """Results, and how many requests were refused."""
    maker, results = maker or pipeline(), []
    for request in requests:
        try:
            results.append(maker.make(request))
        except AdRefused:
            continue
    return results, len(requests) - len(results)


def unretried() -> AdPipeline:
    """The pipeline with the same measurements, of which none holds a picture back: every request is one attempt."""
    maker = pipeline()
    rules = [replace(rule, strictness=Strictness.WEIGHTED) for rule in maker.brand.guidelines]
    return replace(maker, brand=replace(maker.brand, guidelines=tuple(rules)))


def compare(requests: Sequence[AdRequest]) -> dict[str, float]:
    """Processor seconds of nine plans: in one request, as nine requests, and as plans of one request one by one."""
    maker = unretried()
    made(requests, maker)  # what a process makes once is there
    seconds = {}
    began = time.process_time()
    results, _ = made(requests, maker)
    seconds["together"] = time.process_time() - began
    singles = [replace(maker, grid=Grid(1, (rotation,))) for rotation in Grid().rotations]
    began = time.process_time()
    for number in range(9):
        made([replace(request, seed=request.seed + number) for request in requests], singles[number % 3])
    seconds["nine_requests"] = time.process_time() - began
    shared = Counter[str]()
    for result in results:
        shared.update(result.seconds)  # type: ignore[arg-type]
    plan_stages = sum(shared[stage] for stage in ("background", "compositing", "quality")) / sum(shared.values())
    seconds["plan_stages"] = seconds["together"] * plan_stages
    began = time.process_time()
    _one_by_one(results, maker)
    seconds["plans_one_by_one"] = time.process_time() - began
    return seconds


def _one_by_one(results: Sequence[AdResult], maker: AdPipeline) -> None:
    """Paints, shades, pastes and judges every plan by itself."""
    for result in results:
        for judged in result.attempts[-1].judged:
            placed, scene = judged.picture.placed, judged.picture.scene
            (background,) = maker.backdrop.paint([scene], [placed])
            judge(maker._composed(background, placed, scene), maker.brand)  # noqa: SLF001  the stage between the two


def _count(requests: Sequence[AdRequest]) -> int:
    return len(made(requests)[0])


def measure(products: int, size: int, workers: int, photo: int, compared: int) -> dict[str, Any]:
    requests = [request_of(FIRST + number, size, photo) for number in range(products)]
    made(requests[:4])  # textures are made once a process; leave that out
    stages: Counter[str] = Counter()
    done = 0
    began = time.perf_counter()
    for request in requests:  # one after the other, so that no more than one result is kept
        for result in made([request])[0]:
            done += 1
            stages.update(result.seconds)  # type: ignore[arg-type]
    alone = time.perf_counter() - began
    chunks = [requests[start : start + 4] for start in range(0, products, 4)]
    list(map_in_order(_count, chunks[:2], workers=workers))
    began = time.perf_counter()
    list(map_in_order(_count, chunks, workers=workers))
    parallel = time.perf_counter() - began
    return {
        "products": products,
        "refused": products - done,
        "size": size,
        "photo": photo,
        "workers": workers,
        "one_process": products / alone,
        "all_processes": products / parallel,
        "compared": compare(requests[:compared]) if compared else {},
        "stages": {stage: 1000 * spent / done for stage, spent in stages.most_common()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=48)
    parser.add_argument("--size", type=int, default=512, help="of the pictures, pixels a side")
    parser.add_argument("--photo", type=int, default=PHOTO, help="of the photographs")
    parser.add_argument("--compared", type=int, default=12, help="products for the two baselines; 0: none")
    parser.add_argument("--workers", type=int, default=usable_cores())
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = measure(arguments.products, arguments.size, arguments.workers, arguments.photo, arguments.compared)
    if arguments.json:
        print(json.dumps(figures))
        return
    print(
        f"ads, {figures['products']} drawn products of {figures['photo']} px at {figures['size']} px, nine plans each, "
        f"{figures['refused']} refused"
    )
    print(f"  one process               {figures['one_process']:6.2f} products/s")
    print(f"  {arguments.workers} processes, start included {figures['all_processes']:4.2f} products/s")
    if seconds := figures["compared"]:
        requests, plans = seconds["nine_requests"] / seconds["together"], seconds["plans_one_by_one"]
        print(f"  nine plans of one request, against nine requests of one plan: {requests:.2f}x")
        print(f"  plans painted, pasted and judged together, against one by one: {plans / seconds['plan_stages']:.2f}x")
    for stage, milliseconds in figures["stages"].items():
        print(f"    {stage:14} {milliseconds:7.1f} ms a product")


if __name__ == "__main__":
    main()
