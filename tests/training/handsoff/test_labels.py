"""Labels of a few pictures: what was drawn is what is read, and everything odd is one sentence."""

import json

import numpy as np
import pytest

from catalog.errors import SelvedgeError
from catalog.files import png_bytes
from tests.training.handsoff.labelled import KINDS, changed, labelled, write
from training.handsoff.coco import coco_json, read_coco, run_lengths
from training.handsoff.labels import kinds_of, read_labelled


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "labels", labelled(3))


def test_what_was_drawn_is_what_is_read(folder):
    truth, read = labelled(3), read_labelled(folder, 16)
    assert read.pictures.names == ("0", "1", "2") and (read.pictures.array == truth.pictures.array).all()
    assert (read.masks == truth.masks).all() and np.allclose(read.points, truth.points)
    assert np.abs(read.maps - truth.maps).max() < 1e-4 and read.kinds == KINDS
    assert read.digest == read_labelled(folder, 16).digest != read.rows([0, 1]).digest


def test_a_wide_picture_and_its_labels_are_squared_alike(tmp_path):
    whole = np.full((20, 40, 3), 255, np.uint8)
    whole[6:16, 8:30] = 40
    mask = (whole[..., 0] < 250).astype(np.uint8)
    for name, array in (("images/a", whole), ("masks/a", mask)):
        file = tmp_path / f"{name}.png"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(png_bytes(array))
    about = {"classes": ["background", "garment"], "keypoints": ["corner"], "pictures": {"a": {"corner": [8, 6]}}}
    (tmp_path / "labels.json").write_text(json.dumps(about))
    read = read_labelled(tmp_path, 20)
    assert (read.masks[0] == (read.pictures.array[0].min(axis=-1) < 250)).all()
    assert read.points[0, 0].tolist() == [4, 8, 1]


def test_around_a_picture_without_background_there_is_background(tmp_path):
    for name, array in (("images/a", np.full((10, 20, 3), 40, np.uint8)), ("masks/a", np.ones((10, 20), np.uint8))):
        file = tmp_path / f"{name}.png"
        file.parent.mkdir()
        file.write_bytes(png_bytes(array))
    (tmp_path / "labels.json").write_text(json.dumps({"classes": ["background", "garment"]}))
    mask = read_labelled(tmp_path, 16).masks[0]
    assert (mask[:4] == 0).all() and (mask[4:12] == 1).all() and (mask[12:] == 0).all()


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda f: (f / "labels.json").unlink(), "holds no labelled picture"),
        (lambda f: [p.unlink() for p in (f / "images").iterdir()] and changed(f / "labels.json", pictures={}),
         "holds no pictures"),
        (lambda f: (f / "masks" / "1.png").unlink(), r"masks/1\.png is missing; draw it"),
        (lambda f: (f / "masks" / "1.png").write_bytes(b"no"), r"masks/1\.png does not decode"),
        (lambda f: (f / "masks" / "1.png").write_bytes(png_bytes(np.zeros((16, 15), np.uint8))),
         r"masks/1\.png is 15 x 16 pixels and its picture 16 x 16; save it"),
        (lambda f: (f / "masks" / "2.png").write_bytes(png_bytes(np.pad([[7]], ((4, 11), (3, 12))).astype(np.uint8))),
         r"masks/2\.png holds class 7 \(first at x 3, y 4\), and only 0 to 2 are named"),
        (lambda f: [p.write_bytes(png_bytes(np.ones((16, 16), np.uint8))) for p in (f / "masks").iterdir()],
         r"show one class only \(upper\)"),
        (lambda f: changed(f / "labels.json", classes=["background"]), "names 1 class; a labeller tells between 2"),
        (lambda f: changed(f / "labels.json", classes=["a", "b", "b"]), "names 'b' twice"),
        (lambda f: changed(f / "labels.json", classes=[], keypoints=[], maps={}), "names no class, keypoint or map"),
        (lambda f: changed(f / "labels.json", maps={"depth": [1, 1]}), "low must be below high"),
        (lambda f: changed(f / "labels.json", pictures={"9": {}}), "lists picture 9, which images/ does not hold"),
        (lambda f: changed(f / "labels.json", pictures={"1": {"ear": [1, 1]}}), "the keypoint 'ear'"),
        (lambda f: changed(f / "labels.json", format=3), "of another format than 1"),
        (lambda f: (f / "labels.json").write_text("{"), r"labels\.json cannot be read"),
        (lambda f: (f / "masks" / "0.png").write_bytes(png_bytes(np.zeros((16, 16, 3), np.uint8))), "is in colour"),
    ],
)  # fmt: skip
def test_every_odd_folder_is_refused_in_a_sentence(folder, spoil, sentence):
    spoil(folder)
    with pytest.raises(SelvedgeError, match=sentence):
        read_labelled(folder, 16)


def of_coco(folder, **changes):
    """The labels of a folder as COCO in place of PNG files."""
    labels = labelled(3)
    rows = [
        (f"{name}.png", labels.masks[row], {"corner": labels.points[row, 0]})
        for row, name in enumerate(labels.pictures.names)
    ]
    content = json.loads(coco_json(KINDS.classes, KINDS.keypoints, rows)) | changes
    (folder / "labels.json").unlink()
    (folder / "coco.json").write_text(json.dumps(content))
    return content


def test_coco_says_the_same_as_the_files(folder):
    content, truth = of_coco(folder), labelled(3)
    read = read_labelled(folder, 16)
    assert (read.masks == truth.masks).all() and np.allclose(read.points, truth.points)
    assert read.kinds.classes == KINDS.classes and read.kinds.keypoints == KINDS.keypoints
    areas = [a["area"] for a in content["annotations"] if a["image_id"] == 2 and a["category_id"] < 3]
    assert areas == [(truth.masks[1] == 1).sum(), (truth.masks[1] == 2).sum()]


def test_compressed_run_lengths_and_polygons_are_read_too(folder):
    content = of_coco(folder)
    # What pycocotools makes of [4, 3, 90, 10, 149] (rleToString), and a square of whole pixels.
    runs = {"size": [16, 16], "counts": "43j27k1"}
    content["annotations"] = [
        {"id": 1, "image_id": 1, "category_id": 1, "segmentation": runs},
        {"id": 2, "image_id": 1, "category_id": 2, "segmentation": [[10, 3, 14, 3, 14, 8, 10, 8]]},
    ]
    (folder / "coco.json").write_text(json.dumps(content))
    mask = read_coco(folder / "coco.json").mask("0.png")
    assert run_lengths(mask == 1) == [4, 3, 90, 10, 149]
    assert (mask[3:9, 10:15] == 2).all() and (mask == 2).sum() == 30


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda c: c["images"][1].update(id=1), "gives the id 1 to two entries of kind image"),
        (lambda c: c["annotations"][1].update(id=1), "gives the id 1 to two entries of kind annotation"),
        (lambda c: c["categories"][1].update(id=1), "gives the id 1 to two entries of kind category"),
        (lambda c: c["images"][1].update(file_name="0.png"), r"lists picture 0\.png under two ids"),
        (lambda c: c["annotations"][0].update(image_id=9), "annotation 1 is of image 9, which is not there"),
        (lambda c: c["annotations"][0].update(category_id=9), "annotation 1 is of category 9, which is not there"),
        (lambda c: c["images"][0].update(width=17), r"its masks are 17 x 16 pixels and the picture 16 x 16"),
        (lambda c: c["annotations"][0]["segmentation"].update(counts=[1, 2]), "cannot be read"),
        (lambda c: c.pop("images"), "is no COCO file"),
        (lambda c: c.update(images=[], annotations=[]), "holds no labelled picture|names no class"),
        (lambda c: c["annotations"][2].update(keypoints=[1, 1, 2, 3, 3, 2]), "has 2 keypoints, and its category 1"),
    ],
)
def test_every_odd_coco_file_is_refused_in_a_sentence(folder, spoil, sentence):
    content = of_coco(folder)
    spoil(content)
    (folder / "coco.json").write_text(json.dumps(content))
    with pytest.raises(SelvedgeError, match=sentence):
        read_labelled(folder, 16)


def test_pycocotools_reads_what_is_written(folder, capsys):
    coco = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed: pip install -e .[dev]")
    of_coco(folder)
    truth, read = labelled(3), coco.COCO(str(folder / "coco.json"))
    for row in range(3):
        mask = np.zeros((16, 16), np.uint8)
        for annotation in read.loadAnns(read.getAnnIds(imgIds=[row + 1], catIds=[1, 2])):
            covered = read.annToMask(annotation).astype(bool)
            assert covered.sum() == annotation["area"]
            mask[covered] = annotation["category_id"]
        assert (mask == truth.masks[row]).all()
    assert "loading annotations" in capsys.readouterr().out


def test_kinds_must_be_lists():
    with pytest.raises(SelvedgeError, match=r"labels\.json does not name its classes"):
        kinds_of({"classes": 3}, "labels.json")
