"""The pre-training itself: its pictures, its losses, and a whole run of three steps a stage that can be resumed."""

import json

import numpy as np
import pytest
import torch

from catalog.errors import SelvedgeError
from training.blip2.base import build_model, load_base
from training.blip2.pretraining.augmentation import PART_CELLS, augment
from training.blip2.pretraining.corpus import PhraseTable
from training.blip2.pretraining.heads import Readouts, TextSide
from training.blip2.pretraining.make import make_base, parse
from training.blip2.pretraining.recipe import Recipe
from training.blip2.profiles import TINY


def test_seeds_are_kept_from_catalogues():
    with pytest.raises(SelvedgeError, match="kept from every catalogue"):
        Recipe().changed(garment_seed=7)


def test_an_unknown_setting_is_named():
    with pytest.raises(SelvedgeError, match="wordls"):
        Recipe().changed(wordls=3)


def test_part_map_moves_with_the_picture():
    images = np.zeros((6, 128, 128, 3), np.uint8)
    parts = np.zeros((6, 128, 128), np.uint8)
    images[:, 30:90, 20:60] = 255
    parts[:, 30:90, 20:60] = 5
    torch.manual_seed(1)
    garment = torch.zeros(6, dtype=torch.bool)
    pixels, cells = augment(torch.from_numpy(images), torch.from_numpy(parts), garment)
    assert pixels.shape == (6, 3, 128, 128) and cells.shape == (6, PART_CELLS, PART_CELLS)
    bright = torch.nn.functional.avg_pool2d(pixels.mean(1, keepdim=True), 4)[:, 0] > 0.6
    assert float((bright == (cells == 5)).float().mean()) > 0.97


def test_phrase_loss_compares_within_a_topic_only():
    table = PhraseTable([("a", "x"), ("a", "y"), ("b", "z")], ["a", "b"], torch.tensor([0, 0, 1]))
    readouts = Readouts(table, 8, 4, 8, 64, 3)
    tokens = torch.randn(5, 4, 8)
    alone, right = readouts.phrase_loss(tokens, torch.full((5, 2), -1).index_fill(1, torch.tensor([0]), 2))
    assert float(alone.detach()) == pytest.approx(0, abs=1e-5) and float(right) == 1  # the only phrase of its topic
    pair, _ = readouts.phrase_loss(tokens, torch.full((5, 2), -1).index_fill(1, torch.tensor([0]), 1))
    assert float(pair.detach()) > 0.05


def test_stage_one_text_cannot_see_the_picture_but_through_the_queries():
    torch.manual_seed(0)
    text = TextSide(50, 24, 12, layers=1, heads=3)
    captions = torch.randint(3, 50, (6, 12))
    queries = torch.randn(6, 4, 24)
    captions[3] = captions[2]  # an equal caption is no wrong answer to its twin's picture
    scores, same = text._scores(queries, captions)
    assert bool(same[2, 3]) and float(scores[2, 3].detach()) == -1e4
    losses = text.losses(queries, captions)
    assert set(losses) == {"contrast", "match", "caption"} and all(bool(loss.isfinite()) for loss in losses.values())


def test_queries_start_apart():
    queries = build_model(TINY, 300).query_tokens[0]
    assert float((queries[0] - queries[1]).norm()) > 0.1


@pytest.mark.slow
def test_a_tiny_run_writes_a_base_and_resumes(tmp_path):
    arguments = [
        "--tiny",
        "--no-trials",
        "--workers",
        "1",
        "--device",
        "cpu",
        "--work",
        str(tmp_path / "work"),
        "--out",
        str(tmp_path / "base"),
    ]
    options, recipe = parse([*arguments, "--set", "stage2_steps=2", "--set", "probe_products=30"])
    metrics = make_base(options, recipe)
    base = load_base(tmp_path / "base")
    assert base.recipe["recipe"]["stage1_steps"] == 3 and base.recipe["measured"]["courses"][1]["steps"] == 2
    assert (tmp_path / "base" / "model.safetensors").stat().st_size <= 15e6
    assert f"{metrics['probe']['mean']:.3f}" in (tmp_path / "base" / "README.md").read_text()
    first = base.digest
    options, recipe = parse([*arguments, "--set", "stage2_steps=4", "--set", "probe_products=30"])
    metrics = make_base(options, recipe)
    assert [course["stage"] for course in metrics["courses"]] == [2] and metrics["courses"][0]["steps"] == 4
    assert load_base(tmp_path / "base").digest != first
    assert json.loads((tmp_path / "work" / "metrics.json").read_text())["probe"]["by_attribute"]
