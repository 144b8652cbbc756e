"""From pictures to a project and from drawings to a folder: once each, the newest, whole or not at all."""

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from catalog.errors import SelvedgeError
from catalog.files import jpeg_bytes, png_bytes
from labeling.handsoff.asking import ask_for_labels
from labeling.handsoff.collecting import COLLECTED_FILE, collect_labels
from labeling.handsoff.page import class_names, instructions, label_config
from labeling.handsoff.request import request_of
from tests.labeling.handsoff.paper_easel import PaperEasel, enclosed, painted
from training.handsoff.labels import read_labelled

CLASSES = ("background", "body", "sleeve")
SIZE = (24, 16)
WHOLE = [(0.0, 0.0), (100.0, 0.0), (100.0, 100.0), (0.0, 100.0)]
LEFT = [(0.0, 0.0), (50.0, 0.0), (50.0, 100.0), (0.0, 100.0)]


def picture(level: int) -> bytes:
    pixels = np.full((SIZE[1], SIZE[0], 3), level, np.uint8)
    pixels[::2] //= 2
    return jpeg_bytes(pixels, 95)


@pytest.fixture
def chosen():
    return [(f"shop/p{row}.jpg", lambda row=row: picture(60 + 40 * row)) for row in range(4)]


@pytest.fixture
def easel():
    return PaperEasel()


@pytest.fixture
def asked(tmp_path, easel, chosen):
    return ask_for_labels(tmp_path / "home", easel, chosen, CLASSES).request


def drawn(label: str, corners=WHOLE):
    return [enclosed(corners, label, SIZE)]


def test_asking_again_finds_the_same_project_and_other_content_makes_another(tmp_path, easel, chosen, asked):
    again = ask_for_labels(tmp_path / "home", easel, chosen, CLASSES, title="Another title")
    assert (again.request, again.resumed, len(easel.projects)) == (asked, True, 1)
    other = ask_for_labels(tmp_path / "home", easel, chosen[:3], CLASSES)
    assert (other.resumed, len(easel.projects)) == (False, 2)
    assert request_of(tmp_path / "home", asked.project) == asked
    with pytest.raises(
        SelvedgeError, match=r"in several projects \(1: Labels .*; 2: Labels .*\); name one with --project"
    ):
        request_of(tmp_path / "home", None)
    with pytest.raises(SelvedgeError, match="nobody was asked for labels in project 9"):
        request_of(tmp_path / "home", 9)


def test_a_killed_asking_goes_on_and_a_lost_record_or_project_is_made_again(tmp_path, easel, chosen, asked):
    (key, *_) = easel.shown[1]
    del easel.shown[1][key]
    easel.tasks[1].remove(key)
    (record,) = (tmp_path / "home").iterdir()
    kept = record.read_bytes()
    record.unlink()
    assert ask_for_labels(tmp_path / "home", easel, chosen, CLASSES).request == asked
    assert record.read_bytes() == kept and set(easel.tasks[1]) == {one.key for one in asked.pictures}
    easel.delete_project(1)
    with pytest.raises(SelvedgeError, match=r"project 'Labels \w{8}' is not in Label Studio; .* opens it again"):
        collect_labels(asked, easel, tmp_path / "labels")
    assert ask_for_labels(tmp_path / "home", easel, chosen, CLASSES).request.project == 2
    assert len(list((tmp_path / "home").iterdir())) == 1


def test_of_two_that_ask_at_once_the_older_project_stays(tmp_path, chosen):
    easel = PaperEasel()
    easel.rival = lambda title: easel.new_project(title)
    assert ask_for_labels(tmp_path / "home", easel, chosen, CLASSES).request.project == 1
    assert list(easel.projects) == [1]


def test_a_task_holds_the_picture_and_no_name_of_it(easel, asked):
    for task in easel.shown[1].values():
        assert set(task) == {"key", "picture"} and task["picture"].startswith("data:image/jpeg;base64,")
        assert "shop" not in json.dumps(task)
    assert list(easel.shown[1]) == [one.key for one in asked.pictures]


def test_the_newest_submission_of_every_picture_becomes_the_folder_that_handsoff_reads(tmp_path, easel, chosen, asked):
    first, second, third, _ = (one.key for one in asked.pictures)
    easel.draw(1, first, drawn("body"), minute=5, by=1)
    newest = easel.draw(1, first, drawn("body") + drawn("sleeve", LEFT), minute=9, by=2)
    easel.draw(1, first, drawn("sleeve"), minute=7, by=1)
    easel.draw(1, first, [], minute=11)
    easel.draw(1, second, drawn("body"), by=1)
    easel.draw(1, second, drawn("sleeve"), minute=3, skipped=True)
    easel.draw(1, third, [], skipped=True)
    easel.draw(1, "another", drawn("hat"))
    out = tmp_path / "labels"
    collected = collect_labels(asked, easel, out)
    assert vars(collected) == {
        "asked": 4, "labelled": 2, "skipped": 1, "unlabelled": 1, "annotators": 2, "regions": 3,
    }  # fmt: skip
    with Image.open(out / "masks" / "shop" / "p0.png") as mask:
        assert mask.mode == "L" and (np.asarray(mask) == np.where(np.arange(24) < 12, 2, 1)).all()
    assert (out / "images" / "shop" / "p0.jpg").read_bytes() == picture(60)
    assert json.loads((out / COLLECTED_FILE).read_text())["pictures"]["shop/p0"] == {
        "annotation": newest,
        "annotator": 2,
    }
    labels = read_labelled(out, 16)
    assert labels.pictures.names == ("shop/p0", "shop/p1") and labels.kinds.classes == CLASSES
    assert [sorted(np.unique(mask)) for mask in labels.masks] == [[0, 1, 2], [0, 1]]
    before = {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}
    easel.draw(1, third, drawn("hat"))
    with pytest.raises(SelvedgeError, match=r"picture shop/p2, annotation \d+ has a region of label \['hat'\]"):
        collect_labels(asked, easel, out)
    assert {file: file.read_bytes() for file in out.rglob("*") if file.is_file()} == before
    easel.draw(1, third, [], minute=30, skipped=True)
    easel.drawn[1][third].pop(-2)
    collect_labels(asked, easel, out)
    assert {file: file.read_bytes() for file in out.rglob("*") if file.is_file()} == before
    assert not [one for one in tmp_path.iterdir() if one.name.startswith(".")]


@pytest.mark.parametrize("shown", [None, 7, "data:image/jpeg;base64,@@", "http://127.0.0.1/p.jpg"])
def test_another_picture_in_label_studio_is_refused_by_its_bytes(tmp_path, easel, asked, shown):
    key = asked.pictures[0].key
    easel.draw(1, key, drawn("body"))
    easel.shown[1][key]["picture"] = shown
    with pytest.raises(SelvedgeError, match="picture shop/p0 is not the one in Label Studio that was asked about"):
        collect_labels(asked, easel, tmp_path / "labels")
    assert not (tmp_path / "labels").exists()


def test_a_folder_of_something_else_is_never_replaced_and_no_label_is_one_sentence(tmp_path, easel, asked):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.txt").write_text("mine")
    for place in (tmp_path / "mine", tmp_path / "mine" / "a.txt"):
        with pytest.raises(SelvedgeError, match="holds something other than collected labels"):
            collect_labels(asked, easel, place)
    easel.draw(1, asked.pictures[0].key, [], skipped=True)
    with pytest.raises(
        SelvedgeError, match=r"of project 1 yet \(4 asked, 1 skipped\); open http://paper/1 and run again"
    ):
        collect_labels(asked, easel, tmp_path / "labels")


def test_a_record_that_was_changed_is_refused(tmp_path, asked):
    (record,) = (tmp_path / "home").iterdir()
    text = record.read_text()
    for changed, words in ((text.replace('"sleeve"', '"hat"'), "does not match its own hash"), ("{", "cannot be read")):
        record.write_text(changed)
        with pytest.raises(SelvedgeError, match=words):
            request_of(tmp_path / "home", None)


def test_what_cannot_be_asked_about_is_one_sentence(tmp_path, easel, chosen):
    def refused(pictures, words, title="Labels"):
        with pytest.raises(SelvedgeError, match=words):
            ask_for_labels(tmp_path / "home", easel, pictures, CLASSES, title)
        assert easel.projects == {}

    same = ("shop/p0.png", lambda: png_bytes(np.zeros((9, 9, 3), np.uint8)))
    refused([*chosen, same], "picture shop/p0.* and another have one name but for the ending")
    refused([chosen[0], ("b.jpg", chosen[0][1])], "pictures shop/p0 and b are the same")
    refused([("a.jpg", lambda: b"x")], r"picture a.jpg cannot be shown \(")
    refused(chosen, "has 60 characters; give 1 to 41", "x" * 60)
    levels = iter((picture(1), picture(2)))
    with pytest.raises(SelvedgeError, match="picture a changed while it was asked about"):
        ask_for_labels(tmp_path / "home", easel, [("a.jpg", lambda: next(levels))], CLASSES)


def test_classes_are_named_once_and_the_page_offers_each_by_brush_and_polygon():
    names = class_names(" background, body ,A & B <i>")
    assert names == ("background", "body", "A & B <i>")
    page = ET.fromstring(label_config(names))
    for tool, keys in (("BrushLabels", ["1", "2", "0"]), ("PolygonLabels", ["a", "s", "z"])):
        labels = page.findall(f".//{tool}/Label")
        assert [label.get("value") for label in labels] == ["body", "A & B <i>", "background"]
        assert [label.get("hotkey") for label in labels] == keys
    assert "A &amp; B &lt;i&gt;" in instructions(names)
    many = ET.fromstring(label_config(("none", *(f"c{k}" for k in range(1, 255)))))
    labels = many.findall(".//BrushLabels/Label")
    assert len({label.get("background") for label in labels}) == 255 and [
        label.get("hotkey") for label in labels[13:15]
    ] == ["y", None]
    for text, words in (
        ("body", "names 1 class"),
        ("a,,b", "'' is no name"),
        ("a,a", "names 'a' twice"),
        ("a,$b", "'\\$b'"),
    ):
        with pytest.raises(SelvedgeError, match=words):
            class_names(text)


def test_a_painted_picture_reads_back_as_it_was_painted(tmp_path, easel, asked):
    mask = np.add.outer(np.arange(16), np.arange(24)) % 5 < 2
    easel.draw(1, asked.pictures[1].key, [painted(mask, "body")])
    collect_labels(asked, easel, tmp_path / "labels")
    with Image.open(tmp_path / "labels" / "masks" / "shop" / "p1.png") as read:
        assert np.array_equal(np.asarray(read), mask)
