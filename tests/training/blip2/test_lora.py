"""LoRA training: masks, stopping, and resuming to the same weights."""

import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from catalog.errors import SelvedgeError
from tests.training.blip2.conftest import Shop, schema
from training.blip2.adapter import attach_saved, merge_and_check
from training.blip2.answers import answer_tries
from training.blip2.base import Base, load_base
from training.blip2.examples import ask_examples, draw_weights, epoch_batches, make_examples, split_pairs
from training.blip2.features import FeatureStore, compute_features
from training.blip2.lora import train_lora
from training.blip2.settings import LoraSettings
from training.reporting import Silent
from training.stopping import TrainingStopped
from training.weights import digest_of, stored_tensors

SHORT = LoraSettings(
    steps=24,
    batch_size=16,
    views=2,
    precision="fp32",
    validate_every=8,
    checkpoint_every=6,
    warmup_steps=4,
    patience=0,
    learning_rate=5e-3,
    targets=("q", "v", "wi_0"),
)


class Recorder(Silent):
    """Keeps what it is told; can end the run the hard way or the polite way at a step."""

    def __init__(self, crash_at: int = -1, terminate_at: int = -1):
        self.crash_at, self.terminate_at = crash_at, terminate_at
        self.values: dict[str, list[float]] = {}

    def metrics(self, step, values):
        for name, value in values.items():
            self.values.setdefault(name, []).append(value)
        if step == self.crash_at:
            raise MemoryError("as if the machine had died here")
        if step == self.terminate_at:
            os.kill(os.getpid(), signal.SIGTERM)


def weights(result_folder: Path) -> bytes:
    return (result_folder / "adapter_model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def undisturbed(base_folder, shop, features_root, tmp_path_factory) -> Path:
    base = load_base(base_folder)
    store = FeatureStore(features_root, base)
    compute_features(base, shop.items, store, views=2)
    return train_lora(base, shop.pairs, schema(), store, SHORT, tmp_path_factory.mktemp("whole"), Silent()).adapter


def test_only_the_adapter_learns(base: Base, shop: Shop, store: FeatureStore, tmp_path: Path):
    before, recorder = digest_of(stored_tensors(base.model, None)), Recorder()
    result = train_lora(base, shop.pairs, schema(), store, replace(SHORT, steps=60), tmp_path, recorder)
    losses = recorder.values["train/loss"]
    assert losses[-1] < 0.6 * losses[0]
    assert digest_of(stored_tensors(base.model, None)) == before
    # encoder 2 + decoder 3 self + 3 cross attentions with q and v, and 5 feed-forwards
    assert result.modules == 2 * 8 + 5 and result.parameters == 16 * 8 * (48 + 48) + 5 * 8 * (48 + 64)
    assert [entry["step"] for entry in result.history] == [8, 16, 24, 32, 40, 48, 56, 60]
    assert result.best_value == max(entry["accuracy"] for entry in result.history)
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]
    names = sorted(path.name for path in result.adapter.iterdir())
    assert names == ["adapter_config.json", "adapter_model.safetensors", "lora.json"]


@pytest.mark.parametrize("recorder", [Recorder(crash_at=20), Recorder(terminate_at=10)], ids=["crash", "SIGTERM"])
def test_a_broken_run_ends_in_the_same_weights(
    base: Base, shop: Shop, store, undisturbed: Path, tmp_path: Path, recorder
):
    with pytest.raises((MemoryError, TrainingStopped)) as stopped:
        train_lora(base, shop.pairs, schema(), store, SHORT, tmp_path, recorder)
    if recorder.terminate_at > 0:
        assert "stopped at step 10 of 24; run it again" in str(stopped.value)
    assert (tmp_path / "checkpoint").is_dir() and not (tmp_path / "adapter").exists()
    torch.manual_seed(999)  # whatever happened in between
    resumed = Recorder()
    result = train_lora(base, shop.pairs, schema(), store, SHORT, tmp_path, resumed)
    assert len(resumed.values["train/loss"]) < 2, "it must not have started over"
    assert weights(result.adapter) == weights(undisturbed)
    assert not (tmp_path / "checkpoint").exists()


@pytest.mark.slow
def test_a_killed_process_ends_in_the_same_weights(
    base, base_folder, shop, store, features_root, undisturbed, tmp_path
):
    shop.pairs.to_parquet(tmp_path / "pairs.parquet")
    script = f"""
        import os, signal, torch, pandas as pd
        from pathlib import Path
        from tests.training.blip2.conftest import schema
        from tests.training.blip2.test_lora import SHORT, Recorder
        from training.blip2.base import load_base
        from training.blip2.features import FeatureStore, compute_features
        from training.blip2.lora import train_lora
        torch.set_num_threads(1)
        class Killer(Recorder):
            def metrics(self, step, values):
                if step == 20:
                    os.kill(os.getpid(), signal.SIGKILL)
        base = load_base(Path({str(base_folder)!r}))
        store = FeatureStore({str(features_root)!r}, base)
        pairs, out = pd.read_parquet({str(tmp_path / "pairs.parquet")!r}), Path({str(tmp_path / "run")!r})
        train_lora(base, pairs, schema(), store, SHORT, out, Killer())
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, cwd=Path.cwd())
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    result = train_lora(base, shop.pairs, schema(), store, SHORT, tmp_path / "run", Silent())
    assert weights(result.adapter) == weights(undisturbed)


def test_a_finished_run_is_not_repeated(base: Base, shop: Shop, store, undisturbed: Path):
    recorder = Recorder()
    again = train_lora(base, shop.pairs, schema(), store, SHORT, undisturbed.parent, recorder)
    assert recorder.values == {} and again.adapter == undisturbed and again.steps == 24
    other = train_lora(
        base, shop.pairs, schema(), store, replace(SHORT, steps=8), undisturbed.parent / "other", recorder
    )
    assert other.steps == 8


def test_an_infinite_loss_leaves_no_adapter(base: Base, shop: Shop, store, tmp_path: Path):
    with pytest.raises(
        SelvedgeError,
        match=r"LoRA: the (loss|gradient norm) became (nan|inf) at step 2; nothing was kept; lower lora.learning_rate",
    ):
        train_lora(
            base, shop.pairs, schema(), store, replace(SHORT, learning_rate=1e30, clip_norm=1e30), tmp_path, Silent()
        )
    assert list(tmp_path.iterdir()) == []
    assert not hasattr(base.model.language_model.encoder.block[0].layer[0].SelfAttention.q, "lora_A")


def test_early_stopping_keeps_the_best(base: Base, shop: Shop, store, tmp_path: Path):
    settings = replace(SHORT, steps=400, learning_rate=1e-9, patience=2, validate_every=2)
    result = train_lora(base, shop.pairs, schema(), store, settings, tmp_path, Silent())
    assert (result.steps, result.best_step) == (6, 2)


def test_a_group_on_both_sides_is_refused(base: Base, shop: Shop, store, tmp_path: Path):
    pairs = shop.pairs.copy()
    pairs.loc[pairs["product_id"] == 45, "group_id"] = "g3"
    with pytest.raises(SelvedgeError, match="group g3 is in training and in validation"):
        train_lora(base, pairs, schema(), store, SHORT, tmp_path, Silent())
    with pytest.raises(SelvedgeError, match="80 training and 0 validation rows"):
        train_lora(base, shop.pairs[shop.pairs["split"] == "train"], schema(), store, SHORT, tmp_path, Silent())
    with pytest.raises(SelvedgeError, match="image_sha256"):
        train_lora(base, shop.pairs.drop(columns="image_sha256"), schema(), store, SHORT, tmp_path, Silent())


def test_validation_is_whole_groups_and_always_the_same(shop: Shop):
    pairs = shop.pairs.copy()
    pairs["group_id"] = "g" + (pairs["product_id"] // 2).astype(str)
    _, some = split_pairs(pairs, 9)
    _, again = split_pairs(pairs.sample(frac=1, random_state=1), 9)
    assert set(some["group_id"]) == set(again["group_id"]) and 0 < len(some) <= 9
    whole = pairs[(pairs["split"] == "validation") & pairs["group_id"].isin(some["group_id"])]
    assert len(some) == len(whole)


def test_merged_weights_answer_as_the_adapter_does(base: Base, shop: Shop, store, undisturbed: Path):
    pairs = shop.pairs[shop.pairs["split"] == "test"]
    examples = make_examples(base, pairs)
    asked = ask_examples(examples, answer_tries(schema(), base))
    features = store.read(examples.images)
    plain = digest_of(stored_tensors(base.model, None))
    check = merge_and_check(base, attach_saved(base, undisturbed), features, asked, "scored", tolerance=1e-4)
    assert check.same_answers == check.questions == len(pairs) and 0 < check.largest_difference < 1e-4
    assert digest_of(stored_tensors(base.model, None)) != plain
    with pytest.raises(SelvedgeError, match="answer differently from the adapter"):
        merge_and_check(base, attach_saved(base, undisturbed), features, asked, "scored", tolerance=0.0)


def test_a_missing_adapter_is_not_looked_for_elsewhere(base: Base, tmp_path: Path):
    with pytest.raises(SelvedgeError, match=r"adapter_model\.safetensors is missing"):
        attach_saved(base, tmp_path)


def test_an_epoch_is_a_function_of_its_number():
    first = list(epoch_batches(75, 16, 3, None, seed=1, epoch=0))
    again = list(epoch_batches(75, 16, 3, None, seed=1, epoch=0))
    other = list(epoch_batches(75, 16, 3, None, seed=1, epoch=1))
    assert all(np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1]) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a[0], b[0]) for a, b in zip(first, other, strict=True))
    assert sorted(np.concatenate([rows for rows, _ in first])) == list(range(75))
    assert [len(rows) for rows, _ in first] == [16, 16, 16, 16, 11]
    assert {view for _, views in first for view in views} == {0, 1, 2}


def test_balance_evens_out_values_but_not_attributes(base: Base, shop: Shop):
    few_red = shop.pairs[~((shop.pairs["value"] == "Red") & (shop.pairs["product_id"] > 3))]
    examples = make_examples(base, few_red)
    weights_ = draw_weights(examples, 1.0)
    by_answer = {text: weights_[[t == text for t in examples.answers]].sum() for text in set(examples.answers)}
    colours = [value for text, value in by_answer.items() if text.startswith("Colour")]
    assert np.allclose(colours, colours[0]) and np.isclose(sum(by_answer.values()), 1)
    share = few_red["attribute"].eq("Colour").mean()
    assert np.isclose(sum(colours), share)
    assert draw_weights(examples, 0) is None
