"""Ads in Dagster: made of a drop once its attributes are there, kept when nothing changed, held to their files."""

import hashlib
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from catalog.errors import SelvedgeError
from catalog.tables import schema_of
from inference.tables import ATTRIBUTES
from orchestration.assets.partitions import DROPS
from orchestration.assets.published import Tables, materialised
from orchestration.assets.resources import Models
from orchestration.defs.inference.ad_images import ad_images
from orchestration.defs.inference.media_index import media_index
from orchestration.graph import checks
from orchestration.jobs.in_process import InProcess, keys
from orchestration.runtime.settings import Settings
from tests.inference.ad_images.shop import BAG, HEELS, listed, photo_of
from training.reporting import Silent

pytestmark = pytest.mark.slow
DROP = "d1"


@dg.asset(key=["catalog", "products"], partitions_def=DROPS)
def products(context: dg.AssetExecutionContext, tables: Tables) -> dg.MaterializeResult:
    rows = [
        {
            "drop": DROP,
            "product_id": product.product_id,
            "product_display_name": product.title,
            "article_type": product.article_type,
            "master_category": product.master_category,
            "gender": product.gender,
            "base_colour": product.colour,
            "season": product.season,
            "usage": product.usage,
        }
        for product in map(listed, (BAG, HEELS))
    ]
    frame = pd.DataFrame(rows).reindex(columns=schema_of("products").names).astype(object)
    return tables.publish(context, "products", frame.where(frame.notna(), None))


@dg.asset(key=["catalog", "images"], partitions_def=DROPS)
def images(context: dg.AssetExecutionContext, tables: Tables) -> dg.MaterializeResult:
    folder = Path(str(tables.root)).parent
    rows = []
    for product_id in (BAG, HEELS):
        (folder / f"{product_id}.png").write_bytes(photo_of(product_id))
        sha256 = hashlib.sha256(photo_of(product_id)).hexdigest()
        rows.append((DROP, product_id, sha256, str(folder / f"{product_id}.png"), sha256, 384, 384))
    return tables.publish(context, "images", pd.DataFrame(rows, columns=schema_of("images").names))


@dg.asset(key=["inference", "attributes"], partitions_def=DROPS)
def attributes(context: dg.AssetExecutionContext, tables: Tables) -> dg.MaterializeResult:
    row = (DROP, BAG, "Pattern", "Solid", 0.9, False, "models:/toy/1", "ab" * 32, "cd")
    return tables.publish(context, "attributes", pd.DataFrame([row], columns=ATTRIBUTES.names))


@pytest.fixture(scope="module")
def graph(tmp_path_factory) -> InProcess:
    home = tmp_path_factory.mktemp("home")
    settings = Settings(home=home, ad_products=2, ad_size=256, threads=1)
    definitions = dg.Definitions(
        assets=[products, images, attributes, ad_images, media_index],
        asset_checks=[checks.pictures_are_whole],
        resources={
            "tables": Tables(root=str(settings.tables())),
            "settings": settings,
            "models": Models(settings=settings),
            "progress": Silent(),
        },
        executor=dg.in_process_executor,
    )
    made = InProcess(definitions, dg.DagsterInstance.ephemeral())
    made.instance.add_dynamic_partitions(DROPS.name or "", [DROP])
    made.run(keys("catalog/products", "catalog/images", "inference/attributes"), DROP)
    made.settle()
    return made


def test_ads_follow_the_attributes_of_a_drop(graph):
    shown = materialised(graph.instance, "inference/ad_images", DROP)
    assert shown is not None
    assert shown["orders"] == 2 and shown["rows"] == shown["pictures"] > 0
    assert shown["plans"] >= 9 and "data:image/jpeg" in shown["for example"] and "data:image/png" in shown["funnel"]


def test_a_second_run_keeps_what_is_stored(graph):
    before = materialised(graph.instance, "inference/ad_images", DROP)
    graph.run(keys("inference/ad_images"), DROP)
    again = materialised(graph.instance, "inference/ad_images", DROP)
    assert again["kept"] == 2 - again["refused"] and again["sha256"] == before["sha256"]


def test_a_changed_picture_stops_its_drop(graph, tmp_path):
    tables = Tables(root=str(Path(materialised(graph.instance, "catalog/products", DROP)["uri"]).parents[2]))
    picture = Path(tables.latest("inference/ad_images", DROP)["uri"].to_pylist()[0])
    content = picture.read_bytes()
    picture.write_bytes(content + b"x")
    try:
        with pytest.raises(SelvedgeError, match="pictures_are_whole of inference/ad_images of d1 failed: 1 of"):
            graph.run(keys("inference/ad_images"), DROP)
    finally:
        picture.write_bytes(content)


def test_the_media_index_holds_drawn_scenes_without_a_library(graph):
    graph.run(keys("inference/media_index"))
    shown = materialised(graph.instance, "inference/media_index")
    assert shown["photographs"] == shown["embedded"] >= 12 and shown["left_out"] == 0
    graph.run(keys("inference/media_index"))
    assert materialised(graph.instance, "inference/media_index")["kept"] == shown["photographs"]
