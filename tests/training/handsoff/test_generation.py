"""Generated sets: the filter drops the doubtful and only them, a kill loses nothing, and the set reads as labels."""

import json
import os
import signal

import numpy as np
import pytest

from catalog.errors import SelvedgeError
from tests.training.handsoff.labelling import KINDS, exact, generator, labelled, labeller_settings
from training.handsoff import generation
from training.handsoff.generation import certain_enough, generate
from training.handsoff.label_settings import GenerationSettings
from training.handsoff.labeller_training import load_trained, train_labeller
from training.handsoff.labels import read_labelled
from training.reporting import Silent
from training.stopping import TrainingStopped


@pytest.fixture(scope="module")
def labeller(tmp_path_factory):
    frozen, out = generator(), tmp_path_factory.mktemp("labeller")
    small = labeller_settings(members=2, epochs=6)
    return load_trained(train_labeller(frozen, exact(frozen), labelled(frozen), small, out, Silent()), frozen)


def settings(**changes):
    return GenerationSettings(**({"pictures": 10, "shard": 4, "drop": 0.2, "device": "cpu"} | changes))


@pytest.mark.parametrize(
    ("n", "drop", "left"), [(309, 0.1, 279), (10, 0.1, 9), (10, 0.0, 10), (9, 0.1, 9), (3, 1.0, 0)]
)
def test_the_filter_drops_the_most_doubtful_share_and_nothing_else(n, drop, left):
    doubt = np.random.default_rng(0).permutation(n).astype(float)
    kept = certain_enough(doubt, drop)
    assert len(kept) == left and (np.diff(kept) > 0).all()
    assert set(doubt[kept]) == set(range(left))  # the most certain ones are among them


def test_equal_doubts_and_a_bound():
    assert certain_enough(np.zeros(4), 0.5).tolist() == [0, 1]
    assert certain_enough(np.array([0.3, 0.1, 0.2, 0.9]), 0.25, 0.2).tolist() == [1, 2]


def test_a_set_reads_as_labelled_pictures_and_holds_what_stays(labeller, tmp_path):
    made = generate(labeller, settings(), tmp_path / "set", Silent())
    read = read_labelled(tmp_path / "set", labeller.frozen.size)
    assert (made.sampled, made.kept) == (10, 8) and len(read) == 8 and read.kinds == KINDS
    w = labeller.frozen.map(labeller.frozen.latents(4, 0))  # the first shard: the latents of training, untruncated
    names = [f"{row:07d}" for row in range(4)]
    labels = labeller.label(w)
    for row, name in enumerate(names):
        if name in read.pictures.names:
            at = read.pictures.names.index(name)
            assert (read.masks[at] == labels.masks[row]).all()
            assert np.abs(read.maps[at] - labels.maps[row].clip(0, 1)).max() < 1e-4
    left = {file.stem for file in (tmp_path / "set" / "images").iterdir()}
    assert left == set(read.pictures.names) == {f.stem for f in (tmp_path / "set" / "maps" / "lightness").iterdir()}
    assert made.mean_kept < made.mean_dropped and made.bound < made.mean_dropped
    assert sum(made.shares.values()) == pytest.approx(1)
    about = json.loads((tmp_path / "set" / "dataset.json").read_text())
    assert about["labeller"] == labeller.digest and about["settings"]["drop"] == 0.2


def test_pycocotools_reads_a_generated_set(labeller, tmp_path):
    coco = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed: pip install -e .[dev]")
    generate(labeller, settings(), tmp_path / "set", Silent())
    content, read = coco.COCO(str(tmp_path / "set" / "coco.json")), read_labelled(tmp_path / "set", 16)
    assert [image["file_name"] for image in content.loadImgs(content.getImgIds())] == [
        f"{name}.png" for name in read.pictures.names
    ]
    for row, image in enumerate(content.getImgIds()):
        mask = np.zeros((16, 16), np.uint8)
        for annotation in content.loadAnns(content.getAnnIds(imgIds=[image], catIds=[1, 2])):
            mask[content.annToMask(annotation) > 0] = annotation["category_id"]
        assert (mask == read.masks[row]).all()


def contents(folder):
    return {f.relative_to(folder).as_posix(): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def test_a_kill_at_any_file_and_a_stop_between_shards_lose_nothing(labeller, tmp_path, monkeypatch):
    generate(labeller, settings(), tmp_path / "whole", Silent())
    writes = {"left": 0}
    publish = generation.publish_bytes

    def dying(*arguments, **options):
        writes["left"] -= 1
        if writes["left"] == 0:
            raise KeyboardInterrupt
        publish(*arguments, **options)

    monkeypatch.setattr(generation, "publish_bytes", dying)
    for died in (2, 13, 14):  # in the first shard, in the second, in the third
        writes["left"] = died
        with pytest.raises(KeyboardInterrupt):
            generate(labeller, settings(), tmp_path / "out", Silent())
        assert not (tmp_path / "out" / "dataset.json").exists()
    monkeypatch.undo()

    class Killer(Silent):
        def progress(self, done, total, what):
            os.kill(os.getpid(), signal.SIGTERM) if done == 8 else None

    with pytest.raises(TrainingStopped, match="stopped at 8 of 10 pictures; run it again to go on"):
        generate(labeller, settings(), tmp_path / "out", Killer())
    (tmp_path / "out" / "images" / "0000001.png").write_bytes(b"")  # as a power cut leaves it
    generate(labeller, settings(), tmp_path / "out", Silent())
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_filter_that_empties_and_another_set_are_refused(labeller, tmp_path):
    with pytest.raises(
        SelvedgeError, match=r"the filter leaves none of 4 pictures: the least uncertain one has 0\.\d+;"
    ):
        generate(labeller, settings(pictures=4, most_uncertain=0.0, drop=0.0), tmp_path / "none", Silent())
    generate(labeller, settings(pictures=4), tmp_path / "set", Silent())
    assert generate(labeller, settings(pictures=4), tmp_path / "set", Silent()).kept == 4
    with pytest.raises(
        SelvedgeError, match="holds a set of another labeller, generator or settings; give a new folder"
    ):
        generate(labeller, settings(pictures=4, seed=1), tmp_path / "set", Silent())
