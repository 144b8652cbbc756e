"""The driver: its curves, and what it does with a value that is not finite, a stop and a checkpoint."""

import itertools
import os
import signal
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import get_cosine_schedule_with_warmup

from catalog.errors import SelvedgeError
from training.driver import TrainingRun, half_cosine, running_mean, warm_up_then_cosine
from training.reporting import Silent
from training.stopping import TrainingStopped


class Line(TrainingRun):
    """Fits a line to noise that follows from the step; can go wrong at a step."""

    name = "line"
    remedy = "lower the rate"

    def __init__(self, checkpoint: Path | None = None, *, nan_at: int = -1, terminate_at: int = -1, steps: int = 20):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            self.layer = nn.Linear(4, 1)
        self.nan_at, self.terminate_at, self.rates = nan_at, terminate_at, []
        optimiser = torch.optim.AdamW(self.layer.parameters(), lr=0.1)
        options = {"checkpoint": checkpoint, "run": "line", "checkpoint_every": 6, "clip_norm": 1.0}
        parameters = dict(self.layer.named_parameters())
        super().__init__(steps, optimiser, parameters, Silent(), device=torch.device("cpu"), **options)

    def rate(self, step):
        return warm_up_then_cosine(step, 5, 20)

    def advance(self):
        self.rates.append(self.optimiser.param_groups[0]["lr"])
        inputs = torch.randn(8, 4, generator=torch.Generator().manual_seed(self.step))
        loss = (self.layer(inputs) - inputs.sum(dim=1, keepdim=True)).square().mean()
        return self.update(loss * float("nan") if self.step == self.nan_at else loss)

    def after_step(self, values):
        if self.step == self.terminate_at:
            os.kill(os.getpid(), signal.SIGTERM)

    @property
    def weights(self):
        return self.layer.weight.detach()


def test_the_rate_warms_up_and_falls_to_nothing():
    rates = [warm_up_then_cosine(step, 10, 100) for step in range(101)]
    assert rates[0] == pytest.approx(0.1) and rates[9] == rates[10] == max(rates) == 1.0
    assert all(a >= b for a, b in itertools.pairwise(rates[10:])) and rates[100] == pytest.approx(0)
    assert half_cosine(0) == 1 and half_cosine(0.5) == pytest.approx(0.5) and half_cosine(2) == pytest.approx(0)


def test_after_the_warm_up_the_curve_is_that_of_transformers():
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = get_cosine_schedule_with_warmup(optimiser, 10, 100).lr_lambdas[0]
    assert all(theirs(step) == pytest.approx(warm_up_then_cosine(step, 10, 100)) for step in range(10, 101))
    assert all(theirs(step + 1) == pytest.approx(warm_up_then_cosine(step, 10, 100)) for step in range(10))


@pytest.mark.parametrize("stopped_at", [1, 5, 11, 19])
def test_a_stopped_run_ends_in_the_same_bits_with_the_same_rates(tmp_path: Path, stopped_at):
    whole = Line()
    whole.train()
    broken = Line(tmp_path / "checkpoint", terminate_at=stopped_at)
    with pytest.raises(TrainingStopped, match=rf"line: training was stopped at step {stopped_at} of 20; run it again"):
        broken.train()
    resumed = Line(tmp_path / "checkpoint")
    resumed.train()
    assert torch.equal(whole.weights, resumed.weights) and broken.rates + resumed.rates == whole.rates
    again = Line(tmp_path / "checkpoint")
    again.train()
    assert torch.equal(again.weights, whole.weights) and again.rates == [], "a finished run makes no step"


def test_a_stop_without_a_checkpoint_says_so_and_one_at_the_last_step_is_too_late():
    with pytest.raises(TrainingStopped, match="stopped at step 4 of 20; nothing was kept"):
        Line(terminate_at=4).train()
    run = Line(terminate_at=20)
    run.train()
    assert run.step == 20


def test_a_value_that_is_not_finite_ends_the_run_before_it_is_saved(tmp_path: Path):
    with pytest.raises(SelvedgeError, match="line: the loss became nan at step 6; nothing was kept; lower the rate"):
        Line(tmp_path / "checkpoint", nan_at=5).train()
    assert not (tmp_path / "checkpoint").exists()


def test_more_steps_go_on_from_the_end(tmp_path: Path):
    Line(tmp_path / "checkpoint", steps=8).train()
    longer, whole = Line(tmp_path / "checkpoint"), Line()
    longer.train()
    whole.train()
    assert len(longer.rates) == 12 and torch.equal(longer.weights, whole.weights)


def test_a_running_mean_follows_buffers_as_well_as_parameters():
    module, counts = nn.BatchNorm1d(2), []
    mean = running_mean(module, lambda steps: counts.append(steps) or 0.75)
    with torch.no_grad():
        module.weight.fill_(3)
        module.running_mean.fill_(4)
        module.num_batches_tracked.fill_(7)
    mean.update_parameters(module)
    assert mean.module.weight.tolist() == [1.5, 1.5] and mean.module.running_mean.tolist() == [1, 1]
    assert int(mean.module.num_batches_tracked) == 7 and not mean.module.weight.requires_grad
    mean.update_parameters(module)
    assert mean.module.weight.tolist() == [1.875, 1.875] and set(counts) == {1, 2}
