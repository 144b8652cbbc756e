"""Plots are PNG files of a sensible size that survive odd inputs; how they look was judged by eye."""

import io

import numpy as np
import pytest
from PIL import Image

from catalog.errors import SelvedgeError
from evaluation import plots
from evaluation.classification import coverage_risk
from evaluation.scores import ScoreSettings, score_subjects

from .rows import answered, labelled

ROWS = labelled(120)
PREDICTIONS = {
    "base": answered(ROWS, 0.1, 1),
    "candidate": answered(ROWS, 0.8, 2),
    "ceiling:cnn": answered(ROWS, 0.9, 3),
}
SCORES = score_subjects(PREDICTIONS, "blip2-attributes", "c1", ScoreSettings(resamples=50))


def opened(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    assert image.format == "PNG"
    shades = np.asarray(image.convert("L"))
    assert shades.min() < 100 < 250 < shades.max()
    return image


def test_the_score_plot_grows_with_the_attributes():
    whole = opened(plots.score_plot(SCORES))
    single = opened(plots.score_plot(SCORES[SCORES["attribute"] == "fit"]))
    assert whole.height > single.height and whole.width == single.width
    assert opened(plots.score_plot(SCORES[SCORES["subject"] == "ceiling:cnn"], "accuracy", "Only a ceiling"))
    with pytest.raises(SelvedgeError, match="no bleu to plot"):
        plots.score_plot(SCORES, "bleu")


def test_a_subject_looks_different_when_it_scores_differently():
    worse = SCORES.assign(value=SCORES["value"].where(SCORES["subject"] != "candidate", 0.2))
    assert plots.score_plot(SCORES) != plots.score_plot(worse)


def test_curves_and_matrices_show_what_they_are_given():
    correct = {name: (rows["truth"] == rows["value"]).to_numpy() for name, rows in PREDICTIONS.items()}
    sure = {name: rows["confidence"].to_numpy() for name, rows in PREDICTIONS.items()}
    curves = {name: coverage_risk(sure[name], correct[name]) for name in PREDICTIONS}
    one_answer = {"candidate": coverage_risk([0.9], [True])}
    assert differ(plots.coverage_risk_plot(curves, 0.05), plots.coverage_risk_plot(curves, 0.2))
    assert differ(plots.coverage_risk_plot(curves, 0.05), plots.coverage_risk_plot(one_answer))
    wrong = {name: ~right for name, right in correct.items()}
    assert differ(plots.reliability_plot(sure, correct), plots.reliability_plot(sure, wrong))
    foreign = PREDICTIONS["candidate"].assign(value=[None, "Elsewhere", "Solid"] * 120)
    small = plots.confusion_plot(PREDICTIONS["candidate"], largest=3)
    assert differ(small, plots.confusion_plot(foreign[foreign["attribute"] == "neck"]))


def differ(first_png: bytes, second_png: bytes) -> bool:
    """Two pictures that can be read and have something on them, and not the same."""
    first, second = opened(first_png), opened(second_png)
    return first.size != second.size or first.tobytes() != second.tobytes()


def test_learning_curves_take_entries_that_lack_metrics():
    history = [{"step": 1, "train/loss": 2.0}, {"step": 2, "train/loss": 1.0, "validation/macro_f1": 0.4}]
    opened(plots.learning_curves(history))
    with pytest.raises(SelvedgeError, match="no epoch"):
        plots.learning_curves(history, x="epoch")


def test_reading_a_metric_does_not_import_matplotlib():
    import subprocess
    import sys

    code = "import sys, evaluation.plots, evaluation.gate; assert 'matplotlib' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
