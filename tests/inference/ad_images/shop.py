"""Drawn products as ad requests, for the tests of the whole pipeline."""

import io
from functools import cache
from pathlib import Path

from PIL import Image

from catalog.drawn.garments import draw_garment
from catalog.drawn.spec import sample_spec
from inference.ad_images.ad_rows import SqlAdMetadata
from inference.ad_images.backdrops.studio.backdrop import Studio
from inference.ad_images.batch import AdMaker
from inference.ad_images.composition import Grid
from inference.ad_images.guardrails.local import LocalGuardrail
from inference.ad_images.pipeline import AdPipeline
from inference.ad_images.quality.brand import Brand, read_brand
from inference.ad_images.request import AdRequest, ListedProduct
from inference.ad_images.store import AdStore

SEED, SHIRT, HEELS, BAG = 7, 10001, 10003, 10008
SIZE = (256, 256)


@cache
def photo_of(product_id: int) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(draw_garment(sample_spec(SEED, product_id), 384, parts=False).image).save(sink, "PNG")
    return sink.getvalue()


def listed(product_id: int) -> ListedProduct:
    spec = sample_spec(SEED, product_id)
    return ListedProduct(
        product_id,
        spec.display_name,
        spec.article_type,
        spec.master_category,
        spec.gender,
        spec.base_colour,
        spec.season,
        spec.usage,
        spec.brand,
        dict(spec.attributes),
    )


def a_request(product_id: int = BAG, **changes: object) -> AdRequest:
    fields = {"theme": "studio", "size": SIZE, **changes}
    return AdRequest(f"ad-{product_id}", photo_of(product_id), listed(product_id), **fields)  # type: ignore[arg-type]


def a_pipeline(brand: Brand | None = None) -> AdPipeline:
    return AdPipeline(
        Studio(),
        brand or read_brand("lifestyle"),
        lambda request: LocalGuardrail(request.product.brand if request.product else ""),
        grid=Grid(2, (0, 15)),
    )


def a_maker(folder: Path, pipeline: AdPipeline | None = None) -> AdMaker:
    store = AdStore(folder / "pictures", SqlAdMetadata(f"sqlite:///{folder / 'ads.db'}"))
    return AdMaker(pipeline or a_pipeline(), store, {"brand": "lifestyle"})
