"""The ladder's table says what its runs say: same seeds, same draws, and a target that is missed is called missed."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from benchmarks import restgan_ladder, restgan_runs
from benchmarks.restgan_figures import (
    RESAMPLES,
    at_one_length,
    measure_ladder,
    median_estimate,
    shared_seeds,
    word_accuracy,
)
from benchmarks.restgan_pictures import WORDS, fitting_products, shown_queries
from benchmarks.restgan_runs import COSTS, DRAWN, REAL, SAMPLES, SCALES, Run, ground, runs
from benchmarks.restgan_targets import cost_share, targets, verdict
from catalog.errors import SelvedgeError
from evaluation.hierarchical import CrossedResamples, Resampled
from evaluation.refinement import PictureSequences, refinement
from training.attribute_judge import save_judge
from training.restgan.dataset import read_bottoms, write_bottoms
from training.restgan.judge_training import JudgeSettings, train_judge
from training.restgan.samples import draw_samples
from training.restgan.sampling import RestganModel, build_networks, save_artefact
from training.restgan.settings import VARIANTS

from .synthetic import synthetic_bottoms
from .test_judge import with_parts

PROMPTS = [f"prompt {place % 17}" for place in range(40)]


def figure(value: float, spread: float = 0.01, seed: int = 0) -> Resampled:
    return Resampled(value, np.random.default_rng(seed).normal(value, spread, RESAMPLES))


def asked(rng: np.random.Generator) -> PictureSequences:
    n, words, attributes = len(PROMPTS), 4, ("type", "colour", "gender")
    mentioned = np.logical_or.accumulate(rng.random((n, words, 3)) < 0.4, axis=1)
    wanted = np.where(mentioned.any(axis=1), rng.integers(0, 3, (n, 3)), -1)
    answers, fresh = rng.integers(0, 3, (2, n, words, 3))
    features, anew = rng.normal(size=(2, n, words, 5))
    lengths = rng.integers(1, words + 1, n)
    return PictureSequences(attributes, PROMPTS, lengths, wanted, mentioned, answers, fresh, features, anew)


def test_word_accuracy_is_that_of_refinement_and_its_attributes_make_it_up():
    rng = np.random.default_rng(0)
    first = asked(rng)
    other = replace(first, answers=rng.integers(0, 3, first.answers.shape))
    draws = CrossedResamples(PROMPTS, 2, 50)
    whole = refinement([first, other], dict.fromkeys(first.attributes, 1.0), draws).accuracy
    found = word_accuracy([first, other], draws)
    assert found.value == pytest.approx(whole.value)
    assert found.replicates == pytest.approx(whole.replicates)
    present = np.arange(4) < first.lengths[:, None]
    counts = (first.mentioned & present[..., None]).sum(axis=(0, 1))
    parts = [word_accuracy([first, other], draws, name).value for name in first.attributes]
    assert np.average(parts, weights=counts) == pytest.approx(whole.value)


def test_a_resampled_median_is_that_of_the_repeated_values():
    rng = np.random.default_rng(1)
    values, draws = rng.normal(size=(1, len(PROMPTS))), CrossedResamples(PROMPTS, 1, 30)
    found = median_estimate(values, PROMPTS, draws)
    assert found.value == pytest.approx(np.median(values))
    weights = draws.prompt_weights(PROMPTS).astype(int)
    lower = [np.quantile(np.repeat(values[0], weight), 0.5, method="inverted_cdf") for weight in weights]
    assert found.replicates == pytest.approx(lower)


def test_at_one_length_a_long_feature_is_one_of_many():
    some = np.random.default_rng(2).normal(size=(50, 16))
    strange = some.copy()
    strange[0] *= 8
    assert at_one_length(strange) == pytest.approx(at_one_length(some))
    assert (at_one_length(strange) ** 2).mean(axis=1) == pytest.approx(1.0)
    assert not at_one_length(np.zeros((1, 3))).any()


@pytest.mark.parametrize(
    ("kids", "share"),
    [
        ((0.9, 0.5, 0.1), 0.5 + 0.125 / 2),  # 0.4 lies a quarter of the way from 0.5 to 0.1; (20 + 2.5) / 40 s
        ((0.9, 0.6, 0.5), float("inf")),
        ((0.3, 0.2, 0.1), 0.25),  # already better after the first leg: at most that
        ((0.8, 0.4, 0.5), 0.5),
    ],
)
def test_cost_share_reads_the_curve_between_legs(kids, share):
    baseline = ((20, 20.0, 0.9), (40, 40.0, 0.4))
    model = tuple((10 * (leg + 1), 10.0 * (leg + 1), kid) for leg, kid in enumerate(kids))
    assert cost_share(model, baseline) == pytest.approx(share)


def test_a_verdict_names_an_open_interval():
    assert verdict(figure(0.5), 0.3, at_least=True) == "**met**"
    assert verdict(figure(0.305), 0.3, at_least=True) == "**met**, the interval holds both"
    assert verdict(figure(0.5), 0.3, at_least=False) == "**missed**"
    assert verdict(Resampled(float("nan"), np.full(5, np.nan)), 0.3, at_least=True) == "not measured"


def test_only_seeds_that_all_rungs_have_are_compared(tmp_path):
    assert shared_seeds({"stackgan": (0, 1, 2), "restgan": (2, 0)}, DRAWN, 32, tmp_path) == (0, 2)
    for finished in ({}, {"stackgan": (0,), "restgan": (1,)}):
        with pytest.raises(SelvedgeError, match=r"restgan_runs --out .* --photographs. makes"):
            shared_seeds(finished, REAL, 32, tmp_path)


def test_every_side_has_its_own_runs_and_photographs_are_not_enlarged_to_128():
    found = {side: [run for data in (DRAWN, REAL) for run in runs(data, side)] for side in SCALES}
    assert all(run.settings.sides[-1] == side for side, of in found.items() for run in of)
    assert len({run.name for of in found.values() for run in of}) == sum(map(len, found.values())) == 25 + 15 + 4 + 5
    assert {run.data for run in found[128]} == {DRAWN}


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the GPU that is asked for")
def test_runs_for_a_gpu_are_refused_where_none_is(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["restgan_runs", "--out", str(tmp_path / "out"), "--gpu"])
    with pytest.raises(SystemExit, match="needs a CUDA device"):
        restgan_runs.main()
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    """A ladder whose five models were never trained: everything behind the table but the hours."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    place = tmp_path_factory.mktemp("ladder")
    write_bottoms(with_parts(synthetic_bottoms(480)), place / DRAWN / "bottoms-32")
    bottoms = read_bottoms(place / DRAWN / "bottoms-32")
    save_judge(train_judge(bottoms, JudgeSettings(epochs=12, device="cpu")), place / DRAWN / "judge-32.safetensors")
    bottoms, judge, queries = ground(DRAWN, 32, place)
    for variant in VARIANTS:
        run = Run(DRAWN, variant, 0)
        torch.manual_seed(len(variant))
        networks = build_networks(run.settings, bottoms.vocabulary, bottoms.colours)
        model = RestganModel(run.settings, *networks, bottoms.vocabulary, bottoms.colours)
        folder = place / "runs" / run.name
        save_artefact(folder / "model", model)
        save_file(draw_samples(model, judge, queries), folder / SAMPLES)
        legs = [{"images": 20_000 * leg, "seconds": 30.0, "kid": 1 / leg} for leg in (1, 2, 3)]
        (folder / COSTS).write_text(json.dumps(legs))
    torch.set_num_threads(before)
    return place


@pytest.mark.slow
def test_untrained_models_miss_and_real_pictures_show_their_words(out):
    ladder = measure_ladder(DRAWN, 32, out)
    assert list(ladder.rungs) == list(VARIANTS) and ladder.seeds == (0,)
    for figures in ladder.rungs.values():
        assert figures["words/all"].value < 0.6 < ladder.real["words/all"].value
        assert figures["kid"].value > 10 * abs(ladder.floors["kid"].high)
    assert ladder.others["words/all"].value < ladder.real["words/all"].value - 0.2
    assert ladder.real["colour"].value < 3 < ladder.others["colour"].value
    found = {one.what: one for one in targets(ladder)}
    assert next(iter(found.values())).verdict.startswith("**missed**")
    # Pictures that ignore the words keep all they have: retention alone would praise them.
    assert all(figures["gain"].value < 0.1 for figures in ladder.rungs.values())
    assert next(one for what, one in found.items() if what.startswith("CPU time")).measured == "1.00 (seeds: 1.00)"
    assert len(set(ladder.artefacts.values())) == len(VARIANTS)


@pytest.mark.slow
def test_where_real_pictures_are_no_ceiling_the_target_says_so(out):
    ladder = measure_ladder(DRAWN, 32, out)
    ladder.rungs["stackgan-aux"]["words/all"] = figure(0.999, 1e-4)
    ladder.real["words/all"] = figure(0.9)
    first = targets(ladder)[0]
    assert first.verdict == "**no gap to close**" and "0.900" in first.measured


@pytest.mark.slow
def test_report_and_saved_files_hold_every_rung(out, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["restgan_ladder", "--out", str(out), "--save", str(tmp_path)])
    restgan_ladder.main()
    printed = capsys.readouterr()
    assert all(printed.out.count(f"| {label} |") == 4 for label in restgan_ladder.LABELS.values())
    assert "of 5 seeds (a) StackGAN has 1" in printed.out and "at 64 pixels" in printed.err
    saved = json.loads((tmp_path / "restgan_ladder.json").read_text())["drawn-32"]
    assert set(saved["rungs"]) == set(VARIANTS) and len(saved["artefacts"]) == len(VARIANTS)
    assert all((tmp_path / "images" / f"restgan_{name}.png").stat().st_size < 400_000
               for name in ("ladder", "kid", "colours"))  # fmt: skip


@pytest.mark.slow
def test_real_products_on_top_fit_what_was_said_so_far(out):
    bottoms, judge, _ = ground(DRAWN, 32, out)
    held_out = bottoms.of("test")
    shown = shown_queries(held_out)
    assert (shown.lengths == WORDS).all()
    drawn = np.zeros((WORDS, 32, 32, 3), np.uint8)
    said = shown.mentioned[0][:WORDS]
    found = fitting_products(held_out, judge, shown.labels[0], drawn, said)
    for picture, named in zip(found, said, strict=True):
        same = np.flatnonzero((held_out.pictures == picture).all(axis=(1, 2, 3)))
        assert any((held_out.labels[row][named] == shown.labels[0][named]).all() for row in same)
