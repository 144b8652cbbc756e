"""Image features: computed once per picture, kept on disk, read by training and by serving alike.

Belongs here: the image half's forward pass, the cache, filling it. Not here: the language half (language.py).

The image half does not see the question and LoRA does not touch it, so its output depends only on the picture, the
preprocessing and the vision and Q-Former weights; those (and the precision) are the key. A changed base or another size
never reads old features, and two bases may share a folder.

Features lie in shards of a few hundred pictures each (one file per picture is slow to write and slower to read),
written whole under a name of their own, so that writers do not wait for each other and a killed one leaves only whole
shards. Each carries the hash of its content, which is checked before its first row is read.
"""

import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import pyarrow as pa
import torch
from safetensors.torch import save
from torch import Tensor
from transformers import Blip2ForConditionalGeneration

from catalog.catalogued_pictures import read_picture
from catalog.errors import SelvedgeError
from catalog.files import json_sha256, publish_bytes, publish_text
from catalog.places import remove_parts
from training.blip2 import augmentation
from training.blip2.augmentation import view_square
from training.blip2.base import Base
from training.blip2.preprocessing import Preprocessing

Item = TypeVar("Item")
Precision = Literal["fp32", "bf16"]
SHARD_IMAGES = 256
CONTENT_KEY = "content_sha256"
STORED = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


@torch.no_grad()
def image_features(model: Blip2ForConditionalGeneration, pixels: Tensor, precision: Precision = "fp32") -> Tensor:
    """Q-Former outputs of (n, 3, s, s) float32 pixels: (n, queries, d_qformer), in the dtype the model computes in.

    Args:
        precision: `bf16` runs the layers in bfloat16 (autocast); exactness against the uncached model is stated for
            fp32.
    """
    device = model.query_tokens.device
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
        features = see(model, pixels.to(device))
    return features.to(model.language_projection.weight.dtype)


def see(model: Blip2ForConditionalGeneration, pixels: Tensor) -> Tensor:
    """The image half itself, with gradients: pixels on the model's device to Q-Former outputs."""
    seen = model.vision_model(pixel_values=pixels).last_hidden_state
    queries = model.query_tokens.expand(len(pixels), -1, -1)
    features: Tensor = model.qformer(query_embeds=queries, encoder_hidden_states=seen).last_hidden_state
    return features


def images_at_once(device: torch.device) -> int:
    """Pictures per forward pass: on a CPU more than a few fall out of its caches (9 ms a picture at 16, 12 ms at
    32)."""
    return 16 if device.type == "cpu" else 64


class KeptFeatures:
    """Cached features of one folder, to read; a folder that is not there holds none."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._rows: dict[tuple[int, str], tuple[int, int]] = {}
        self._shards: list[_Shard] = []
        self._known: set[str] = set()
        self.refresh()

    def refresh(self) -> None:
        """Take in shards that others have written since."""
        for file in sorted(self.folder.glob("view*.safetensors")):
            if file.name not in self._known:
                self._open(file)

    def missing(self, image_sha256s: Iterable[str], view: int = 0) -> list[str]:
        """Pictures, each once and in order, that have no features of this view yet."""
        return [sha256 for sha256 in dict.fromkeys(image_sha256s) if (view, sha256) not in self._rows]

    def read(self, image_sha256s: Sequence[str], view: int | Sequence[int] = 0) -> Tensor:
        """Features in the order asked for: (n, queries, d_qformer). `view` is one for all, or one each.

        Raises:
            SelvedgeError: a picture was never computed (run `compute_features` first), or a shard is damaged.
        """
        views = itertools.repeat(view) if isinstance(view, int) else view
        keys = list(zip(views, image_sha256s, strict=False))
        if any(key not in self._rows for key in keys):
            self.refresh()
        try:
            places = [self._rows[key] for key in keys]
        except KeyError as error:
            absent_view, absent = error.args[0]
            raise SelvedgeError(
                f"features {self.folder}: picture {absent[:12]}… has none of view {absent_view}; compute them first."
            ) from error
        for shard in sorted({shard for shard, _ in places}):
            self._shards[shard].check()
        return torch.stack([self._shards[shard].rows[row] for shard, row in places])

    def _open(self, file: Path) -> None:
        """Take in a shard. One without a hash, of an older version, counts as not there: it is computed again."""
        shard = _map_shard(file)
        if shard is not None:
            self._known.add(file.name)
            self._shards.append(shard)
            number = len(self._shards) - 1
            self._rows.update({(shard.view, sha256): (number, row) for row, sha256 in enumerate(shard.images)})


class FeatureStore(KeptFeatures):
    """Cached features of one base under `root`. Safe for several readers and writers at once.

    Args:
        root: folder of all caches, e.g. `.selvedge/features`.
        base: whose preprocessing, vision and Q-Former weights key the cache.
        precision: see `image_features`; features of different precision never mix.
    """

    def __init__(self, root: str | Path, base: Base, precision: Precision = "fp32"):
        self.precision: Precision = precision
        self.key = {
            "preprocessing": base.preprocessing.digest(),
            "vision": base.vision_digest,
            "precision": precision,
            "dtype": str(base.model.language_projection.weight.dtype),
            "augmentation": augmentation.FORMAT,
        }
        super().__init__(Path(root) / json_sha256(self.key)[:20])

    def write(self, image_sha256s: Sequence[str], features: Tensor, view: int = 0) -> None:
        """Publish the features of some pictures as one shard.

        Raises:
            SelvedgeError: a feature is NaN or infinite, or the disk is full or not writable.
        """
        if not bool(torch.isfinite(features).all()):
            raise SelvedgeError(f"features of {image_sha256s[0][:12]}… are not finite; the base's weights are damaged.")
        stored = features.cpu().contiguous()
        about = {"view": str(view), "images": json.dumps(list(image_sha256s))}
        values: Any = stored.view(-1).view(torch.uint8).numpy()
        content = save({"features": stored}, metadata={**about, CONTENT_KEY: _content_sha256(about, values)})
        digest = hashlib.sha256("".join(image_sha256s).encode()).hexdigest()[:16]
        file = self.folder / f"view{view}-{digest}.safetensors"
        if not (self.folder / "key.json").exists():
            publish_text(json.dumps(self.key, indent=2) + "\n", self.folder / "key.json")
        publish_bytes(content, file, sync=False)  # computed again when a power cut spoils it
        self._open(file)


@dataclass
class _Shard:
    """A file of features, mapped into memory: rows (n, queries, d_qformer) of the pictures `images`."""

    file: Path
    rows: Tensor
    values: np.ndarray  # the bytes of `rows`
    about: dict[str, str]
    checked: bool = False

    @property
    def view(self) -> int:
        return int(self.about["view"])

    @property
    def images(self) -> list[str]:
        return list(json.loads(self.about["images"]))

    def check(self) -> None:
        """Hold the file to its hash, once: only a shard that is read is read whole.

        Raises:
            SelvedgeError: it was damaged since it was written.
        """
        if not self.checked:
            about = {name: self.about[name] for name in ("view", "images")}
            if _content_sha256(about, self.values) != self.about[CONTENT_KEY]:
                raise _damaged(self.file, "its content is not that of its hash")
            self.checked = True


def _map_shard(file: Path) -> _Shard | None:
    """A shard of which only the header is read now; None for one without a hash.

    Raises:
        SelvedgeError: the header is damaged.
    """
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if length > file.stat().st_size:
                raise ValueError("its header is longer than the file")
            header = json.loads(stream.read(length))
        held, about = header["features"], header["__metadata__"]
        if CONTENT_KEY not in about:
            return None
        start, end = held["data_offsets"]
        mapped = np.memmap(file, np.uint8, mode="c", offset=8 + length + start, shape=(end - start,))
        rows = torch.from_numpy(mapped).view(STORED[held["dtype"]]).view(held["shape"])
        shard = _Shard(file, rows, mapped, about)
        if len(shard.images) != len(rows) or shard.view < 0:
            raise ValueError("it holds other pictures than it names")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise _damaged(file, str(error)) from error
    return shard


def _content_sha256(about: dict[str, str], values: np.ndarray) -> str:
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def _damaged(file: Path, why: str) -> SelvedgeError:
    return SelvedgeError(f"features {file} are damaged ({why}); delete this file and run again.")


def compute_features(
    base: Base,
    items: Sequence[tuple[str, str]],
    store: FeatureStore,
    views: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Fill the store with views 0 … views-1 of every picture; what is there already is not computed again.

    Args:
        items: (sha256, uri) of each picture's file.
        progress: called with (views done, views to do).

    Returns:
        How many (picture, view) features were computed.

    Raises:
        SelvedgeError: a file is missing, does not decode, or is not the one its sha256 names.
    """
    store.refresh()
    remove_parts(store.folder)
    wanted = {view: set(store.missing((sha256 for sha256, _ in items), view)) for view in range(views)}
    todo = {sha256: uri for sha256, uri in items if any(sha256 in missing for missing in wanted.values())}
    total, done = sum(map(len, wanted.values())), 0
    for chunk in _chunks(list(todo.items()), SHARD_IMAGES):
        squares = _load_views(chunk, base.preprocessing, wanted)
        for view, missing in wanted.items():
            to_compute = [sha256 for sha256, _ in chunk if sha256 in missing]
            if not to_compute:
                continue
            store.write(to_compute, _features_of(base, [squares[view, s] for s in to_compute], store.precision), view)
            done += len(to_compute)
            if progress:
                progress(done, total)
    return total


def look(base: Base, pictures: Sequence[tuple[str, str]], precision: Precision) -> Tensor:
    """Features of pictures as they are (view 0), without a store: (n, queries, d_qformer), on the CPU.

    A feature's last bits depend on those that share its forward pass; the same pictures in the same order give the
    same.

    Args:
        pictures: (sha256, uri) of each picture's file, at least one.

    Raises:
        SelvedgeError: a file is missing, does not decode, or is not the one its sha256 names.
    """
    names = [sha256 for sha256, _ in pictures]
    squares = _load_views(pictures, base.preprocessing, {0: set(names)})
    return _features_of(base, [squares[0, sha256] for sha256 in names], precision).cpu()


def packed(features: Sequence[Tensor | None]) -> tuple[pa.Field, pa.Array]:
    """A column `features` for tables that travel: the bytes of each picture's (queries, d_qformer), null for none."""
    form = {}
    for row in features:
        if row is not None:
            form = {"dtype": str(row.dtype).removeprefix("torch."), "shape": json.dumps(list(row.shape))}
    stored = [
        None if row is None else row.contiguous().view(-1).view(torch.uint8).numpy().tobytes() for row in features
    ]
    return pa.field("features", pa.large_binary(), metadata=form), pa.array(stored, pa.large_binary())


def unpacked(table: pa.Table) -> list[Tensor | None]:
    """What `packed` was given, of a table that has its column."""
    form = table.schema.field("features").metadata or {}
    return [None if value is None else _unpacked(value, form) for value in table["features"].to_pylist()]


def _unpacked(value: bytes, form: dict[bytes, bytes]) -> Tensor:
    stored = torch.frombuffer(bytearray(value), dtype=getattr(torch, form[b"dtype"].decode()))
    return stored.view(json.loads(form[b"shape"]))


def _features_of(base: Base, squares: Sequence[np.ndarray], precision: Precision) -> Tensor:
    """(n, queries, d_qformer) of pictures of the base's size, as many at once as its device takes best."""
    parts = [
        image_features(base.model, base.preprocessing.normalised(list(group)), precision)
        for group in _chunks(squares, images_at_once(base.device))
    ]
    return torch.cat(parts)


def _load_views(
    chunk: Sequence[tuple[str, str]], preprocessing: Preprocessing, wanted: dict[int, set[str]]
) -> dict[tuple[int, str], np.ndarray]:
    """Every wanted view of some pictures, each file decoded once, on a few threads (Pillow frees the interpreter)."""

    def load(item: tuple[str, str]) -> list[tuple[tuple[int, str], np.ndarray]]:
        sha256, uri = item
        picture = read_picture(uri, sha256)
        views = [view for view, missing in wanted.items() if sha256 in missing]
        return [((view, sha256), view_square(picture, preprocessing, sha256, view)) for view in views]

    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        return dict(itertools.chain.from_iterable(pool.map(load, chunk)))


def _chunks(values: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
