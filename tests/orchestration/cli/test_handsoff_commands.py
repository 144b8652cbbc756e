"""`selvedge handsoff`: each step goes on from the folder of the one before, and odd input is one sentence."""

import json

import numpy as np
import pytest

from catalog.files import png_bytes
from orchestration.cli import results
from orchestration.cli.main import run
from orchestration.runtime import label_studio as server
from tests.labeling.handsoff.paper_easel import PaperEasel, enclosed
from tests.training.handsoff.labelled import write
from tests.training.handsoff.labelling import generator, labelled
from training.handsoff.frozen import save_generator
from training.handsoff.labels import LabelKinds, LabelledPictures, read_labelled

SMALL = {
    "invert": "width: 8\nbatch_size: 8\nencoder_steps: 6\nrefine_steps: 1\nsteps: 3\nreferences: 3\ntolerance: 20\n",
    "label": "members: 2\nhidden: 16\npixels: 64\nepochs: 2\n",
    "generate": "pictures: 6\nshard: 4\ndrop: 0.2\n",
}


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A generator of 16 pixels, pictures that it drew with labels, the settings of small steps."""
    folder = tmp_path_factory.mktemp("handsoff")
    frozen = generator()
    save_generator(folder / "generator", frozen.settings, frozen.generator)
    labels = labelled(frozen, 4)
    kinds = LabelKinds(labels.kinds.classes, ("corner",), {"depth": (0.0, 1.0)})
    write(folder / "labels", LabelledPictures(labels.pictures, kinds, labels.masks, labels.points, labels.maps))
    for step, text in SMALL.items():
        (folder / f"{step}.yaml").write_text(f"{text}device: cpu\n")
    return folder


def words(work, step, **options):
    given = {"model": work / "generator", "config": work / f"{step}.yaml"} | options
    return ["handsoff", step, *(str(word) for name, value in given.items() for word in (f"--{name}", value)), "--json"]


@pytest.fixture(scope="module")
def steps(work):
    """The words of the three steps that follow each other."""
    return {
        "invert": words(work, "invert", labels=work / "labels", out=work / "codes"),
        "label": words(work, "label", labels=work / "labels", inversions=work / "codes", out=work / "labeller"),
        "generate": words(work, "generate", labeller=work / "labeller", out=work / "set"),
    }


def test_from_a_few_labels_to_a_set_and_again_nothing_is_done_twice(work, steps, capsys):
    printed = {}
    for step in (*steps, *steps):
        assert run(steps[step]) == 0, capsys.readouterr().err
        values = json.loads(capsys.readouterr().out)
        assert list(values) == list(results.declared()[f"handsoff {step}"])
        before = printed.setdefault(step, values)
        assert {**before, "seconds": 0} == {**values, "seconds": 0}
    assert printed["invert"]["inverted"] == 4 and printed["invert"]["perception"] == "attribute-classifier layers"
    assert printed["label"]["classes"] == ["background", "light", "red"] and printed["label"]["pixels"] == 4 * 64
    assert (printed["generate"]["sampled"], printed["generate"]["kept"]) == (6, 5)
    assert len(read_labelled(work / "set", 16)) == 5


def refused(arguments, capsys) -> str:
    assert run(arguments) == 1
    out, err = capsys.readouterr()
    assert out == "" and len(err.strip().splitlines()) == 1 and err.startswith("selvedge: ")
    return err


def test_every_odd_input_is_one_sentence(work, steps, tmp_path, capsys):
    def of(step, **changes):
        arguments = list(steps[step])
        for name, value in ({"out": tmp_path / "out"} | changes).items():
            arguments[arguments.index(f"--{name}") + 1] = str(value)
        return refused(arguments, capsys)

    (tmp_path / "empty").mkdir()
    assert "holds no labelled picture" in of("invert", labels=tmp_path / "empty")
    single = write(tmp_path / "one", _with(labelled(generator(), 2), masks=np.ones((2, 16, 16), np.uint8)))
    assert "show one class only (light)" in of("invert", labels=single)
    (single / "masks" / "p0.png").write_bytes(png_bytes(np.zeros((8, 8), np.uint8)))
    assert "is 8 x 8 pixels and its picture 16 x 16" in of("invert", labels=single)
    (single / "masks" / "p0.png").write_bytes(png_bytes(np.full((16, 16), 9, np.uint8)))
    assert "holds class 9" in of("invert", labels=single)
    (tmp_path / "strict.yaml").write_text(f"{SMALL['invert']}device: cpu\n".replace("20", "0.01"))
    assert "none of 4 pictures can be inverted" in of("invert", config=tmp_path / "strict.yaml")
    (tmp_path / "strict.yaml").write_text("drop: 1\npictures: 3\ndevice: cpu\n")
    assert "the filter leaves none of 3 pictures" in of(
        "generate", config=tmp_path / "strict.yaml", labeller=_labeller(work, steps, capsys)
    )
    assert "holds no finished inversions" in of("label", inversions=tmp_path / "empty")
    other = generator(latent=4)
    save_generator(tmp_path / "other", other.settings, other.generator)
    assert "the inversions are of generator" in of("label", model=tmp_path / "other")
    assert "reads the features of generator" in of("generate", model=tmp_path / "other")
    coco = tmp_path / "empty" / "coco.json"
    image = {"id": 1, "file_name": "a.png", "width": 16, "height": 16}
    coco.write_text(json.dumps({"images": [image, image], "categories": [], "annotations": []}))
    assert "gives the id 1 to two entries of kind image" in of("invert", labels=tmp_path / "empty")
    (tmp_path / "odd.yaml").write_text("steps: many\n")
    assert "steps" in of("invert", config=tmp_path / "odd.yaml")
    assert "is missing or not JSON" in of("invert", model=tmp_path / "none")


def _with(labels, **changes):
    kinds = LabelKinds(labels.kinds.classes, ("corner",), {"depth": (0.0, 1.0)})
    values = {"masks": labels.masks, "points": labels.points, "maps": labels.maps} | changes
    return LabelledPictures(labels.pictures, kinds, **values)


def _labeller(work, steps, capsys):
    """The labeller, made where no other test made it."""
    for step in ("invert", "label"):
        assert run(steps[step]) == 0
    capsys.readouterr()
    return work / "labeller"


def test_a_picture_that_cannot_be_inverted_is_named_and_left_out(work, tmp_path, capsys):
    labels = read_labelled(work / "labels", 16)
    noise = np.random.default_rng(0).choice([0, 255], (16, 16, 3)).astype(np.uint8)
    folder = write(tmp_path / "labels", labels)
    (folder / "images" / "p2.png").write_bytes(png_bytes(noise))
    (tmp_path / "strict.yaml").write_text(f"{SMALL['invert']}device: cpu\n".replace("20", "1.8"))
    assert run(words(work, "invert", labels=folder, out=tmp_path / "codes", config=tmp_path / "strict.yaml")) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["refused"] == ["p2"] and "picture p2 cannot be inverted" in err


def test_the_generator_trains_from_a_folder_of_pictures(work, tmp_path, capsys):
    (tmp_path / "train.yaml").write_text(
        "size: 16\nlatent: 8\ngenerator_width: 8\ndiscriminator_width: 8\nimages: 8\nbatch_size: 4\ndevice: cpu\n"
    )
    given = ["--pictures", work / "labels" / "images", "--config", tmp_path / "train.yaml", "--out", tmp_path / "out"]
    assert run(["handsoff", "train", *map(str, given), "--from-nothing", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert list(values) == list(results.declared()["handsoff train"])
    assert (values["pictures"], values["steps"], values["base"]) == (4, 2, None)
    assert "has handsoff.size 64 and the settings 16" in refused(["handsoff", "train", *map(str, given)], capsys)
    assert run(["handsoff", "train", "--out", str(tmp_path / "out")]) == 2


@pytest.fixture
def easel(tmp_path, monkeypatch):
    monkeypatch.setenv("SELVEDGE_HOME", str(tmp_path / "home"))
    paper = PaperEasel()
    monkeypatch.setattr(server, "connect", lambda settings: paper)
    return paper


def test_people_are_asked_and_what_they_drew_trains_a_labeller(work, steps, easel, tmp_path, capsys):
    asking = ["handsoff", "ask", "--pictures", str(work / "labels" / "images"), "--classes", "background,body"]
    collecting = ["handsoff", "collect", "--out", str(tmp_path / "labels")]
    assert "nobody was asked for labels; `selvedge handsoff ask` opens a project" in refused(collecting, capsys)
    assert run([*asking, "--number", "3", "--title", "Corners", "--json"]) == 0
    asked = json.loads(capsys.readouterr().out)
    assert list(asked) == list(results.declared()["handsoff ask"])
    assert (asked["project"], asked["considered"], asked["resumed"], len(set(asked["pictures"]))) == (1, 4, False, 3)
    assert easel.projects[1].startswith("Corners ") and asked["link"] == "http://paper/1"
    assert run([*asking, "--number", "3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["resumed"]
    assert "nobody has labelled a picture of project 1 yet (3 asked, 0 skipped)" in refused(collecting, capsys)
    half = [(0.0, 0.0), (50.0, 0.0), (50.0, 100.0), (0.0, 100.0)]
    first, second, third = easel.tasks[1]
    for key in (first, second):
        easel.draw(1, key, [enclosed(half, "body", (16, 16))])
    easel.draw(1, third, [], skipped=True)
    assert run([*collecting, "--json"]) == 0
    collected = json.loads(capsys.readouterr().out)
    assert list(collected) == list(results.declared()["handsoff collect"])
    figures = {
        name: collected[name] for name in ("asked", "labelled", "skipped", "unlabelled", "annotators", "regions")
    }
    assert list(figures.values()) == [3, 2, 1, 0, 1, 2]
    labels = read_labelled(tmp_path / "labels", 16)
    assert labels.kinds.classes == ("background", "body") and (labels.masks.mean(axis=(1, 2)) == 0.5).all()
    assert run(words(work, "invert", labels=tmp_path / "labels", out=tmp_path / "codes")) == 0


def test_fewer_pictures_than_asked_for_are_said_and_odd_requests_are_one_sentence(work, easel, tmp_path, capsys):
    pictures = ["handsoff", "ask", "--pictures", str(work / "labels" / "images")]
    asking = [*pictures, "--classes", "background,body"]
    assert run([*asking, "--json"]) == 0
    out, err = capsys.readouterr()
    assert len(json.loads(out)["pictures"]) == 4
    assert err.splitlines()[-1] == "selvedge: there are 4 different pictures, fewer than 50: people are asked for all."
    assert "names 1 class" in refused([*pictures, "--classes", "background"], capsys)
    assert "has 60 characters; give 1 to 41" in refused([*asking, "--title", "x" * 60], capsys)
    assert "holds no pictures" in refused([*asking[:3], str(tmp_path), *asking[4:]], capsys)
    assert "in project 7" in refused(["handsoff", "collect", "--out", str(tmp_path / "o"), "--project", "7"], capsys)
    assert run([*asking, "--catalog", str(tmp_path)]) == 2
