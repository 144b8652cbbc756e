"""Training: it learns, it stops and goes on to the same bits, it refuses other work, it fails on NaN."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from catalog.errors import SelvedgeError
from tests.training.restgan.synthetic import synthetic_bottoms
from training.driver import decay_at
from training.reporting import Silent
from training.restgan.dataset import freeze
from training.restgan.loop import Result, summarise, train_restgan
from training.restgan.settings import VARIANTS, RestganSettings
from training.restgan.words import Vocabulary
from training.stopping import TrainingStopped

BOTTOMS = synthetic_bottoms(80, size=32)
TINY = RestganSettings(
    size=16,
    stages=2,
    noise=8,
    embedding=12,
    state=16,
    condition=6,
    generator_width=8,
    discriminator_width=8,
    refiner_width=8,
    images=96,
    batch_size=8,
    precision="fp32",
    device="cpu",
    r1_every=4,
    checkpoint_every=5,
    report_every=4,
    sample_every=6,
    sample_queries=3,
)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Recorder(Silent):
    """Keeps what it is told; can end the run the hard way or the polite way at a step."""

    def __init__(self, crash_at: int = -1, terminate_at: int = -1):
        self.crash_at, self.terminate_at = crash_at, terminate_at
        self.values: list[dict[str, float]] = []
        self.pictures: dict[int, bytes] = {}

    def metrics(self, step, values):
        self.values.append({"step": step, **values})
        if step == self.crash_at:
            raise MemoryError("as if the machine had died here")
        if step == self.terminate_at:
            os.kill(os.getpid(), signal.SIGTERM)

    def picture(self, step, name, image):
        assert name == "samples"
        self.pictures[step] = image.tobytes()


def weights(result: Result) -> bytes:
    return (result.artefact / "weights.safetensors").read_bytes()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> tuple[Result, Recorder]:
    torch.set_num_threads(1)
    recorder = Recorder()
    return train_restgan(BOTTOMS, TINY, tmp_path_factory.mktemp("whole"), recorder), recorder


def test_a_run_tells_its_losses_and_shows_the_same_queries(undisturbed):
    result, recorder = undisturbed
    assert (
        result.steps == 12 and [v["step"] for v in recorder.values] == [4, 8, 12] and set(recorder.pictures) == {6, 12}
    )
    assert recorder.pictures[6] != recorder.pictures[12] and len(recorder.pictures[6]) == len(recorder.pictures[12])
    reported = recorder.values[-1]
    for name in ("discriminator/adversarial", "discriminator/matching", "discriminator/attributes",
                 "generator/adversarial", "generator/attributes", "generator/divergence",
                 "generator/colour_consistency", "recognised/colour", "norm/text"):  # fmt: skip
        assert f"train/{name}" in reported
    assert [entry["step"] for entry in result.history] == [4, 8, 12]
    assert sorted(path.name for path in result.artefact.parent.iterdir()) == ["checkpoint", "model"]


@pytest.mark.parametrize("recorder", [Recorder(crash_at=8), Recorder(terminate_at=8)], ids=["crash", "SIGTERM"])
def test_a_broken_run_ends_in_the_same_bits(undisturbed, tmp_path: Path, recorder):
    with pytest.raises((MemoryError, TrainingStopped)) as stopped:
        train_restgan(BOTTOMS, TINY, tmp_path, recorder)
    if recorder.terminate_at > 0:
        assert "stopped at step 8 of 12; run it again" in str(stopped.value)
    assert (tmp_path / "checkpoint").is_dir() and not (tmp_path / "model").exists()
    torch.manual_seed(999)  # whatever happened in between
    resumed = Recorder()
    result = train_restgan(BOTTOMS, TINY, tmp_path, resumed)
    assert [v["step"] for v in resumed.values][-1] == 12 and len(resumed.values) < 3, "it must not have started over"
    assert weights(result) == weights(undisturbed[0]) and result.digest == undisturbed[0].digest
    assert result.history == undisturbed[0].history
    assert resumed.pictures[12] == undisturbed[1].pictures[12]


@pytest.mark.slow
def test_a_killed_process_ends_in_the_same_bits(undisturbed, tmp_path: Path):
    script = f"""
        import os, signal, torch
        from pathlib import Path
        from tests.training.restgan.test_loop import BOTTOMS, TINY, Recorder
        from training.restgan.loop import train_restgan
        torch.set_num_threads(1)
        class Killer(Recorder):
            def metrics(self, step, values):
                if step == 8:
                    os.kill(os.getpid(), signal.SIGKILL)
        train_restgan(BOTTOMS, TINY, Path({str(tmp_path)!r}), Killer())
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, cwd=Path.cwd())
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert weights(train_restgan(BOTTOMS, TINY, tmp_path, Silent())) == weights(undisturbed[0])


@pytest.mark.parametrize(
    "change",
    [*({"variant": name} for name in VARIANTS if name != "restgan"), {"adversarial": "hinge", "spectral_norm": True}],
    ids=str,
)
def test_every_variant_resumes_to_the_same_bits(tmp_path: Path, change):
    settings = replace(TINY, **change, stages=1, images=48, checkpoint_every=4)
    whole = train_restgan(BOTTOMS, settings, tmp_path / "whole", Silent())
    with pytest.raises(MemoryError):
        train_restgan(BOTTOMS, replace(settings, report_every=5), tmp_path / "broken", Recorder(crash_at=5))
    resumed = train_restgan(BOTTOMS, settings, tmp_path / "broken", Silent())
    assert weights(resumed) == weights(whole)


def test_a_finished_run_is_not_repeated_and_goes_on_when_more_images_are_asked_for(undisturbed, tmp_path: Path):
    result, _ = undisturbed
    recorder = Recorder()
    assert train_restgan(BOTTOMS, TINY, result.artefact.parent, recorder) == result and recorder.values == []
    half = train_restgan(BOTTOMS, replace(TINY, images=48), tmp_path, Silent())
    assert half.steps == 6 and weights(half) != weights(result)
    whole = train_restgan(BOTTOMS, TINY, tmp_path, recorder)
    assert weights(whole) == weights(result)
    # What was spent before counts as well.
    assert whole.cpu_seconds > half.cpu_seconds > 0 and whole.seconds > half.seconds > 0
    with pytest.raises(SelvedgeError, match=r"has seen 96 images, more than restgan\.images 40"):
        train_restgan(BOTTOMS, replace(TINY, images=40), tmp_path, Silent())


def test_a_checkpoint_of_other_work_is_refused_and_stays(undisturbed):
    out = undisturbed[0].artefact.parent
    before = (out / "checkpoint" / "state.json").read_bytes()
    with pytest.raises(SelvedgeError, match=r"was made with restgan\.batch_size 8, not 4; set it back"):
        train_restgan(BOTTOMS, replace(TINY, batch_size=4), out, Silent())
    words = Vocabulary((*BOTTOMS.vocabulary.words, "petite"))
    with pytest.raises(SelvedgeError, match="was made with another vocabulary"):
        train_restgan(freeze(replace(BOTTOMS, vocabulary=words)), TINY, out, Silent())
    with pytest.raises(SelvedgeError, match="was made with other bottoms"):
        train_restgan(synthetic_bottoms(80, size=32, seed=1), TINY, out, Silent())
    with pytest.raises(SelvedgeError, match=r"was made with another colour table|another vocabulary"):
        train_restgan(synthetic_bottoms(80, size=32, clusters=3), TINY, out, Silent())
    assert (out / "checkpoint" / "state.json").read_bytes() == before


def test_a_damaged_checkpoint_is_one_sentence(tmp_path: Path):
    with pytest.raises(MemoryError):
        train_restgan(BOTTOMS, TINY, tmp_path, Recorder(crash_at=8))
    state = tmp_path / "checkpoint" / "state.safetensors"
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(SelvedgeError, match=r"damaged .*; delete it to start over"):
        train_restgan(BOTTOMS, TINY, tmp_path, Silent())
    (tmp_path / "checkpoint" / "state.json").write_text("{")
    with pytest.raises(SelvedgeError, match=r"damaged .*; delete it to start over"):
        train_restgan(BOTTOMS, TINY, tmp_path, Silent())


def test_a_loss_that_is_not_finite_saves_nothing(tmp_path: Path):
    settings = replace(TINY, generator_rate=1e30, discriminator_rate=1e30, checkpoint_every=100)
    with pytest.raises(
        SelvedgeError, match=r"restgan: the \S+ became (nan|inf|-inf) at step \d+; nothing was kept; lower"
    ):
        train_restgan(BOTTOMS, settings, tmp_path, Silent())
    assert list(tmp_path.iterdir()) == []


def test_too_few_bottoms_are_refused(tmp_path: Path):
    with pytest.raises(SelvedgeError, match="less than one batch of 500"):
        train_restgan(BOTTOMS, replace(TINY, batch_size=500), tmp_path, Silent())
    assert list(tmp_path.iterdir()) == []


def test_bf16_trains_too(tmp_path: Path):
    result = train_restgan(BOTTOMS, replace(TINY, precision="bf16", images=32), tmp_path, Silent())
    assert result.steps == 4


def test_a_report_is_means_and_shares():
    sums = {"steps": 4.0, "generator/adversarial": 2.0, "right/colour": 6.0, "of/colour": 8.0, "right/type": 0.0,
            "of/type": 0.0, "discriminator/r1": 3.0}  # fmt: skip
    assert summarise(sums) == {"generator/adversarial": 0.5, "recognised/colour": 0.75}


def test_after_its_half_life_half_is_forgotten_and_the_start_sooner():
    assert decay_at(10**9, 100, 10_000, 0.05) ** 100 == pytest.approx(0.5)
    assert decay_at(2_000, 100, 10_000, 0.05) == pytest.approx(0.5)
    assert decay_at(2_000, 100, 10_000, 0.0) == decay_at(10**9, 100, 10_000, 0.05)


@pytest.mark.slow
def test_drawn_colours_are_recognised_more_often_than_by_chance(tmp_path: Path):
    settings = replace(
        TINY,
        stages=1,
        noise=16,
        embedding=16,
        state=32,
        condition=16,
        generator_width=16,
        discriminator_width=16,
        images=8_000,
        batch_size=16,
        auxiliary_generator=3.0,
        divergence=0.02,
        generator_rate=1e-3,
        text_rate=1e-3,
        r1_every=16,
        report_every=100,
        sample_every=0,
        checkpoint_every=10_000,
    )
    bottoms = synthetic_bottoms(240, size=16, clusters=4)
    history = train_restgan(bottoms, settings, tmp_path, Silent()).history
    assert history[-1]["recognised/colour"] > 0.45, json.dumps(history[-1])  # chance is 0.25
