"""The base's pictures, the choice of its snapshot, and the figures that say whether to build on it."""

import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import handsoff, handsoff_base, handsoff_data
from benchmarks.handsoff_base import Snapshots, make, parsed
from catalog.drawn.spec import BLOCK, sample_spec
from catalog.drawn.world import RESERVED_SEEDS
from catalog.errors import SelvedgeError
from catalog.files import png_bytes
from tests.training.handsoff.small import SIZE, settings, shapes, train
from training.attribute_judge import AttributeJudge, save_judge
from training.attribute_network import AttributeClassifier
from training.handsoff import drawn
from training.handsoff.drawn import PARTS, SEED, pack_drawn, unpack
from training.handsoff.frozen import FrozenGenerator, load_generator


def any_judge() -> AttributeJudge:
    torch.manual_seed(0)
    return AttributeJudge(AttributeClassifier({"kind": ("a", "b")}, {}, SIZE, 8, "separable"), {"kind": 1.0}, {}, "")


@pytest.fixture
def work(tmp_path):
    """Pack and judge, small."""
    folder = tmp_path / "work"
    folder.mkdir()
    with zipfile.ZipFile(folder / handsoff.PACK, "w") as archive:
        for part, n in (("training", 24), ("held-out", 12)):
            for row, picture in enumerate(shapes(n, 32, seed=n).array):
                archive.writestr(f"{part}/{row:05d}.png", png_bytes(picture))
    save_judge(any_judge(), folder / handsoff.JUDGE)
    return folder


def test_no_catalogue_may_hold_the_drawn_garments_and_no_garment_is_in_two_parts():
    assert SEED in RESERVED_SEEDS
    edges = [(ids.start, ids.stop) for ids in PARTS.values()]
    assert all(edge % BLOCK == 0 for pair in edges for edge in pair)
    items = [{sample_spec(SEED, number).item_key for number in (ids[0], ids[-1])} for ids in PARTS.values()]
    assert len(set.union(*items)) == sum(map(len, items))


def test_a_pack_holds_what_was_drawn_and_is_the_same_file_again(tmp_path, monkeypatch):
    monkeypatch.setattr(drawn, "PARTS", {"training": range(2), "held-out": range(12, 13)})
    for name in ("one", "two"):
        pack_drawn(tmp_path / name, ("training", "held-out"))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert [name for name, _ in unpack(tmp_path / "one", "training")] == ["00000", "00001"]
    pictures, truth = handsoff_data.labelled(tmp_path / "one", "held-out")
    assert pictures.shape == (1, 64, 64, 3) and truth["article_type"] == [sample_spec(SEED, 12).article_type]
    with pytest.raises(SelvedgeError, match="holds no pictures of part judge"):
        unpack(tmp_path / "one", "judge")
    with pytest.raises(SelvedgeError, match=r"missing or damaged .*benchmarks\.handsoff_data"):
        unpack(tmp_path / "none", "training")


def test_the_snapshot_is_the_least_distance_of_the_second_half(tmp_path, monkeypatch):
    result = train(tmp_path / "run", images=8)
    frozen, chosen = result.load(), settings(images=80)  # ten steps
    distances = iter([0.1, 0.5, 0.4, 0.6])
    monkeypatch.setattr(handsoff_base, "kernel_distance", lambda *_: next(distances))
    snapshots = Snapshots(any_judge(), np.zeros((4, 2)), chosen, tmp_path)
    kept = []
    for step in (2, 5, 8, 10):
        for parameter in frozen.generator.parameters():
            parameter.fill_(step)
        snapshots(step, frozen, None)
        kept.append(
            float(next(load_generator(tmp_path / "best").generator.parameters()).view(-1)[0]) if step > 2 else 0
        )
    assert kept == [0, 5, 8, 8] and [entry["kid"] for entry in snapshots.log] == [0.1, 0.5, 0.4, 0.6]


def test_the_pace_is_that_of_a_warm_machine(tmp_path, monkeypatch):
    """A machine that is four times as slow in its first seconds, as a GPU is, has the pace of its later ones."""
    clock = {"now": 0.0}

    def begin(pictures, chosen, folder, reporter, *, start, watch, watch_every):
        assert chosen.steps > 10**9  # it does not end by itself
        for step in range(watch_every, 10**6, watch_every):
            clock["now"] += watch_every / (50 if clock["now"] < 5 else 200)
            watch(step, frozen, None)

    frozen = train(tmp_path / "run", images=8).load()
    monkeypatch.setattr(handsoff_base, "train_generator", begin)
    monkeypatch.setattr(handsoff_base.time, "monotonic", lambda: clock["now"])
    assert handsoff_base.measured_pace(shapes(), settings(), tmp_path / "pace", None) == pytest.approx(200 * 8)
    clock["now"] = 0.0
    monkeypatch.setattr(handsoff_base, "PACE_SECONDS", (1.0, 4.0))  # all of it cold
    assert handsoff_base.measured_pace(shapes(), settings(), tmp_path / "pace", None) == pytest.approx(50 * 8)


def test_the_pace_of_a_real_run_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(handsoff_base, "PACE_SECONDS", (0.0, 0.01))
    monkeypatch.setattr(handsoff_base, "PACE_EVERY", 2)
    assert handsoff_base.measured_pace(shapes(), settings(), tmp_path / "run", None) > 0
    assert not (tmp_path / "run").exists()


def test_bases_of_two_sides_are_made_measured_and_published(work, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(handsoff_base, "SETTINGS", replace(settings(samples=9), batch_size=8, report_every=1))
    monkeypatch.setattr(handsoff_base, "measured_pace", lambda *_: 8.0)
    out = tmp_path / "out"
    out.mkdir()
    words = ["--work", work, "--out", out, "--sides", 16, 32, "--minutes", 0.05, "--kid-pictures", 8]
    make(parsed(list(map(str, words))))
    tiny = out / "handsoff-tiny"
    recipe = json.loads((tiny / "32" / "recipe.yaml").read_text())
    assert recipe["begins from"] == load_generator(tiny / "16").digest and recipe["settings"]["size"] == 32
    assert recipe["digests"]["model"] == load_generator(tiny / "32", size=32).digest
    assert "| 32 |" in (tiny / "README.md").read_text() and (tiny / "judge.safetensors").is_file()
    assert json.loads((out / "16" / "log.json").read_text())["kid"]
    measured = ["generator", "--model", tiny / "16", "--work", work, "--pictures", 4, "--steps", 3, "--out", out]
    monkeypatch.setattr("sys.argv", ["handsoff", *map(str, measured)])
    handsoff.main()
    assert "coverage" in capsys.readouterr().out and (out / "generator-16.png").is_file()
    assert json.loads((out / "generator-16.json").read_text())["coverage"]["pictures"] == 4
    words = ["handsoff", "figure", "--model", tiny / "32", "--work", work, "--out", out]
    monkeypatch.setattr("sys.argv", list(map(str, words)))
    handsoff.main()
    with Image.open(out / handsoff.FIGURE) as figure:
        assert figure.size == (17 * 32, 5 * 32 + handsoff.HEADING)


def test_inversion_keeps_each_pictures_best_code_and_finds_the_generators_own_pictures(tmp_path, monkeypatch):
    frozen = train(tmp_path, images=160, rate=5e-3).load()
    pictures = frozen.synthesise(frozen.sample(3, 0).w)
    start = (frozen.synthesise(frozen.mean_w()[None]) - pictures).square().mean(dim=(1, 2, 3))
    codes, errors = handsoff.invert(frozen, pictures, 30)
    again = (frozen.synthesise(codes) - pictures).square().mean(dim=(1, 2, 3))
    assert torch.allclose(again, errors, atol=1e-6) and (errors < 0.5 * start).all()
    # A rate that throws every code away after its first step: the best stays the first.
    monkeypatch.setattr(handsoff, "RATE", 1e4)
    _, errors = handsoff.invert(frozen, pictures, 3)
    assert torch.allclose(errors, start, atol=1e-6)
    assert isinstance(frozen, FrozenGenerator)
