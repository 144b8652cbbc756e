"""The feature cache: equal to computing, keyed by what matters, whole after a kill."""

import hashlib
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

from catalog.errors import SelvedgeError
from tests.training.blip2.conftest import Shop
from training.blip2.base import Base
from training.blip2.features import FeatureStore, compute_features, image_features


def test_cached_features_are_those_of_the_whole_model(base: Base, shop: Shop, store: FeatureStore):
    some = shop.items[5:9]
    pixels = base.preprocessing.pixels([Image.open(uri) for _, uri in some])
    with torch.no_grad():
        whole = base.model.get_image_features(pixels).qformer_outputs.last_hidden_state
    cached = store.read([sha256 for sha256, _ in some])
    assert cached.dtype == torch.float32
    assert torch.allclose(cached, whole, atol=1e-5)
    assert not torch.allclose(store.read([some[0][0]], view=1), whole[:1], atol=1e-3)


def test_each_picture_is_computed_once(base: Base, shop: Shop, tmp_path: Path):
    store = FeatureStore(tmp_path, base)
    assert compute_features(base, shop.items[:5] + shop.items[:2], store) == 5
    assert compute_features(base, shop.items[:8], store, views=2) == 3 + 8
    assert compute_features(base, shop.items[:8], FeatureStore(tmp_path, base), views=2) == 0


def test_read_keeps_the_order_and_mixes_views(base: Base, shop: Shop, store: FeatureStore):
    names = [sha256 for sha256, _ in shop.items[:4]]
    forward, backward = store.read(names), store.read(names[::-1])
    assert torch.equal(forward.flip(0), backward)
    mixed = store.read(names[:2], [1, 0])
    assert torch.equal(mixed[0], store.read(names[:1], 1)[0]) and torch.equal(mixed[1], forward[1])


def test_what_was_not_computed_is_named(store: FeatureStore):
    with pytest.raises(SelvedgeError, match="picture abcdef… has none of view 0"):
        store.read(["abcdef"])


def test_a_store_belongs_to_one_image_half(base: Base, shop: Shop, tmp_path: Path):
    compute_features(base, shop.items[:2], FeatureStore(tmp_path, base))
    other = Base(**{**vars(base), "vision_digest": "another"})
    assert len(FeatureStore(tmp_path, other).missing(sha256 for sha256, _ in shop.items[:2])) == 2
    assert len(FeatureStore(tmp_path, base, "bf16").missing(sha256 for sha256, _ in shop.items[:2])) == 2


def test_two_writers_do_not_disturb_each_other(base: Base, shop: Shop, tmp_path: Path):
    stores = [FeatureStore(tmp_path, base) for _ in range(2)]
    halves = [shop.items[:20], shop.items[10:30]]
    threads = [
        threading.Thread(target=compute_features, args=(base, half, s)) for half, s in zip(halves, stores, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = [sha256 for sha256, _ in shop.items[:30]]
    for store in [*stores, FeatureStore(tmp_path, base)]:
        assert store.read(names).shape == (30, 8, 48)  # each finds what the other wrote


def test_half_a_shard_is_never_read(base: Base, shop: Shop, tmp_path: Path):
    store = FeatureStore(tmp_path, base)
    compute_features(base, shop.items[:3], store)
    shard = next(store.folder.glob("view0-*.safetensors"))
    shutil.copyfile(shard, shard.with_name(f".{shard.name}.1234.part"))  # what a killed writer leaves
    assert FeatureStore(tmp_path, base).missing([shop.items[0][0], "new"]) == ["new"]
    shard.write_bytes(shard.read_bytes()[:-500])
    with pytest.raises(SelvedgeError, match=f"{shard.name} are damaged"):
        FeatureStore(tmp_path, base)


@pytest.mark.parametrize("kind", ["a bit", "noise", "another's name", "another's rows"])
def test_a_changed_shard_is_never_read(tmp_path: Path, base: Base, kind: str):
    store = FeatureStore(tmp_path, base)
    store.write(["a" * 64, "b" * 64], torch.arange(2 * 8 * 48, dtype=torch.float32).reshape(2, 8, 48))
    store.write(["c" * 64, "d" * 64], torch.zeros(2, 8, 48))
    first, other = (next(file for file in store.folder.glob("view0-*") if name in file.read_bytes())
                    for name in (b"a" * 64, b"c" * 64))  # fmt: skip
    content = bytearray(first.read_bytes())
    if kind == "a bit":
        content[-7] ^= 4
    elif kind == "noise":
        content[-900:-100] = np.random.default_rng(0).bytes(800)
    elif kind == "another's name":
        content = content.replace(b"a" * 64, b"e" * 64)
    else:
        rows = len(torch.zeros(2, 8, 48).numpy().tobytes())
        content[-rows:] = other.read_bytes()[-rows:]
    first.write_bytes(content)
    again = FeatureStore(tmp_path, base)
    with pytest.raises(SelvedgeError, match=rf"features .*{first.name} are damaged \(.*\); delete this file and run"):
        again.read(["b" * 64])
    assert again.read(["d" * 64]).shape == (1, 8, 48)
    first.unlink()
    assert FeatureStore(tmp_path, base).missing(["b" * 64, "d" * 64]) == ["b" * 64]


def test_a_shard_of_an_older_version_is_computed_again(tmp_path: Path, base: Base, shop: Shop):
    store = FeatureStore(tmp_path, base)
    compute_features(base, shop.items[:3], store)
    shard, name = next(store.folder.glob("view0-*")), shop.items[0][0]
    exact = store.read([name])
    with safe_open(shard, "pt") as held:
        about = {key: value for key, value in held.metadata().items() if key != "content_sha256"}
        save_file({"features": held.get_tensor("features") + 1}, shard.with_suffix(".old"), about)
    shard.with_suffix(".old").rename(shard)
    again = FeatureStore(tmp_path, base)
    assert again.missing([name]) == [name]
    assert compute_features(base, shop.items[:3], again) == 3
    assert torch.equal(again.read([name]), exact)


def test_other_bytes_than_catalogued_are_refused(base: Base, tmp_path: Path):
    file = tmp_path / "p.png"
    Image.new("RGB", (9, 9)).save(file)
    store = FeatureStore(tmp_path / "f", base)
    with pytest.raises(SelvedgeError, match=r"p\.png changed since it was catalogued"):
        compute_features(base, [("0" * 64, str(file))], store)
    file.write_bytes(b"no picture")
    sha256 = hashlib.sha256(b"no picture").hexdigest()
    with pytest.raises(SelvedgeError, match=r"p\.png is missing or does not decode"):
        compute_features(base, [(sha256, str(file))], store)
    with pytest.raises(SelvedgeError, match=r"absent\.png is missing"):
        compute_features(base, [(sha256, str(tmp_path / "absent.png"))], store)


def test_damaged_weights_store_nothing(base: Base, tmp_path: Path):
    store = FeatureStore(tmp_path, base)
    with pytest.raises(SelvedgeError, match="not finite"):
        store.write(["a"], torch.full((1, 8, 48), torch.nan))
    assert store.missing(["a"]) == ["a"]


def test_bf16_features_are_near(base: Base):
    pixels = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 3, 64, 64)).astype(np.float32))
    exact, near = image_features(base.model, pixels), image_features(base.model, pixels, "bf16")
    assert near.dtype == torch.float32 and not torch.equal(exact, near)
    assert torch.corrcoef(torch.stack([exact.flatten(), near.flatten()]))[0, 1] > 0.97
