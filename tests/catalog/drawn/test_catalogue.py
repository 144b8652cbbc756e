"""A drawn catalogue on disk: independent of workers and size, true to its truth, damaged exactly as declared."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from catalog.drawn import DrawnCatalogue, draw_catalogue, sample_spec
from catalog.drawn.faults import Fault
from catalog.errors import SelvedgeError
from catalog.reading import read_catalogue


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> DrawnCatalogue:
    return draw_catalogue(tmp_path_factory.mktemp("faulty"), 60, 11, faults=True, size=64, workers=1)


def test_the_number_of_workers_changes_no_byte(tmp_path: Path) -> None:
    draw_catalogue(tmp_path / "one", 50, 4, size=48, workers=1, faults=True)
    draw_catalogue(tmp_path / "two", 50, 4, size=48, workers=2, faults=True)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_a_product_stays_itself_when_the_catalogue_grows(tmp_path: Path) -> None:
    draw_catalogue(tmp_path / "small", 6, 4, size=48, workers=1, first_id=505)
    draw_catalogue(tmp_path / "large", 14, 4, size=48, workers=1, first_id=500)
    small, large = files_of(tmp_path / "small"), files_of(tmp_path / "large")
    for product_id in range(505, 511):
        for name in (f"images/{product_id}.jpg", f"styles/{product_id}.json", f"truth/masks/{product_id}.png"):
            assert small[name] == large[name]
    rows = set(large["styles.csv"].splitlines())
    assert set(small["styles.csv"].splitlines()) <= rows


def test_the_truth_tables_say_what_was_drawn(tmp_path: Path) -> None:
    draw_catalogue(tmp_path, 12, 9, size=64, workers=1, first_id=100, label_noise=0.5)
    truth = pq.read_table(tmp_path / "truth" / "truth.parquet").to_pylist()
    assert [row["product_id"] for row in truth] == list(range(100, 112))
    keypoints = pq.read_table(tmp_path / "truth" / "keypoints.parquet").to_pandas()
    for row in truth:
        spec = sample_spec(9, row["product_id"])
        assert (row["article_type"], row["gender"], row["base_colour"]) == (
            spec.article_type,
            spec.gender,
            spec.base_colour,
        )
        assert dict(row["attributes"]) == spec.attributes
        assert row["item"] == spec.item_key
        mask = np.asarray(Image.open(tmp_path / "truth" / "masks" / f"{spec.product_id}.png"))
        assert mask.shape == (64, 64) and mask.any()
        assert (keypoints.product_id == spec.product_id).sum() >= 3
    about = json.loads((tmp_path / "truth" / "drawn.json").read_text())
    assert (about["seed"], about["style"], about["label_noise"]) == (9, "studio", 0.5)


def test_the_json_has_the_real_structure_and_is_sparse(tmp_path: Path) -> None:
    draw_catalogue(tmp_path, 40, 9, size=48, workers=1, label_noise=0.0)
    kept = dropped = not_available = 0
    for path in (tmp_path / "styles").glob("*.json"):
        data = json.loads(path.read_text())["data"]
        spec = sample_spec(9, data["id"])
        assert {"articleAttributes", "productDescriptors", "brandName", "variantName", "styleImages"} <= set(data)
        assert "<" in data["productDescriptors"]["description"]["value"]
        for name, value in spec.attributes.items():
            delivered = data["articleAttributes"].get(name)
            assert delivered in (None, "NA", value)
            dropped += delivered is None
            not_available += delivered == "NA"
            kept += delivered == value
    assert kept > 5 * (dropped + not_available) > 0
    assert dropped and not_available


def test_reading_finds_every_planted_fault_and_no_other(faulty: DrawnCatalogue) -> None:
    read = read_catalogue(str(faulty.path), "drop", workers=1)
    quarantined = set(zip(read.quarantine["line"].to_pylist(), read.quarantine["reason"].to_pylist(), strict=True))
    assert quarantined == set(faulty.planted_faults)
    assert read.products.num_rows + read.quarantine.num_rows == faulty.rows
    reasons = {reason for _, reason in faulty.planted_faults}
    assert reasons == {fault.value for fault in Fault} - {kind for _, kind in faulty.handled_faults}


def test_handled_faults_are_borne(faulty: DrawnCatalogue) -> None:
    read = read_catalogue(str(faulty.path), "drop", workers=1)
    products = {row["line"]: row for row in read.products.to_pylist()}
    lines = {kind: line for line, kind in faulty.handled_faults}
    assert products[lines["unquoted_comma"]]["product_display_name"].endswith(", Pack of 2")
    assert products[lines["two_unquoted_commas"]]["recovered"]
    assert "Caf" in products[lines["not_utf8"]]["product_display_name"]
    assert 2009 < products[lines["float_year"]]["year"] < 2016
    assert products[lines["blank_fields"]]["season"] is None
    assert products[lines["literal_na"]]["base_colour"] is None
    turned = products[lines["exif_rotated"]]
    with Image.open(faulty.path / "images" / f"{turned['product_id']}.jpg") as picture:
        assert picture.getexif()[0x0112] == 6


def test_bad_requests_are_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SelvedgeError, match="ask for at most 1,000,000"):
        draw_catalogue(tmp_path, 10**20, 1)
    with pytest.raises(SelvedgeError, match="ids have at most 18 digits"):
        draw_catalogue(tmp_path, 5, 1, first_id=10**18)
    with pytest.raises(SelvedgeError, match="at least 1"):
        draw_catalogue(tmp_path, 0, 1)
    with pytest.raises(SelvedgeError, match="not a probability"):
        draw_catalogue(tmp_path, 1, 1, label_noise=7)
    with pytest.raises(SelvedgeError, match="faults need at least 16 products"):
        draw_catalogue(tmp_path, 3, 1, faults=True)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SelvedgeError, match="could not be written"):
        draw_catalogue(tmp_path / "file", 1, 1)
    assert not (tmp_path / "styles.csv").exists()


def test_progress_is_told(tmp_path: Path) -> None:
    steps: list[tuple[int, int, str]] = []
    draw_catalogue(tmp_path, 30, 1, size=32, workers=1, progress=lambda *step: steps.append(step))
    assert steps[-1] == (30, 30, "drawing")


def test_a_seed_of_the_base_is_refused(tmp_path):
    with pytest.raises(SelvedgeError, match="kept for pre-training"):
        draw_catalogue(tmp_path / "shop", 1, 2**31)
