"""Generation: pictures with labels, any number of them, the doubtful ones left out.

Belongs here: which latents are drawn, the filter, the folder that grows shard by shard. Not here: labels of one
picture (labeller.py), reading the folder again (labels.py, which it is made for).

Latents are drawn as in training, all of them and without truncation. A shard is drawn from a seed of its own, so that
whatever a kill left half-written is written again to the same bytes; its record `shards/<number>.json`, written last,
says that it is whole. After the last one the filter is held against all pictures at once, `coco.json` and
`labels.json` name those that stay, the others are removed, and `dataset.json` ends the set.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from catalog.errors import SelvedgeError
from catalog.files import json_sha256, png_bytes, publish_bytes, publish_text
from training.handsoff.coco import coco_json
from training.handsoff.label_settings import GenerationSettings
from training.handsoff.labeller import SHOWN, Labeller, Labels
from training.handsoff.labels import COCO_FILE, LABELS_FILE, labels_json, map_png
from training.picture_tensors import to_uint8
from training.reporting import Reporter
from training.stopping import TrainingStopped, stop_requests

FORMAT = 1
DATASET_FILE = "dataset.json"
LABEL_AT_ONCE = 16


@dataclass(frozen=True)
class GeneratedSet:
    """A finished set.

    Attributes:
        folder: for `read_labelled`. digest: over everything that it depends on. sampled, kept: pictures.
        bound: the largest uncertainty that stayed. mean_kept, mean_dropped: mean uncertainty of both, nan for none.
        shares: class -> share of the kept pictures' pixels.
    """

    folder: Path
    digest: str
    sampled: int
    kept: int
    bound: float
    mean_kept: float
    mean_dropped: float
    shares: Mapping[str, float]


def certain_enough(uncertainty: np.ndarray, drop: float, most: float | None = None) -> np.ndarray:
    """Rows that stay, ascending: all but the `drop` share with the largest uncertainty, and none above `most`.

    Exactly floor(drop * n) are dropped for their rank, of equal ones the later; none of the certain ones is.
    """
    kept = len(uncertainty) - math.floor(drop * len(uncertainty) + 1e-9)
    rows = np.sort(np.argsort(uncertainty, kind="stable")[:kept])
    return rows if most is None else rows[uncertainty[rows] <= most]


def generate(labeller: Labeller, settings: GenerationSettings, out: Path, reporter: Reporter) -> GeneratedSet:
    """Write the set into `out`; after a stop or a kill the same call goes on.

    Raises:
        TrainingStopped: SIGTERM or Ctrl-C; the finished shards are kept.
        SelvedgeError: `out` holds another generation, the disk is full or not writable, or the filter leaves nothing.
    """
    digest = json_sha256([FORMAT, labeller.digest, labeller.frozen.digest, settings.fixed()])
    _refuse_another(out, digest)
    if (out / DATASET_FILE).is_file():
        return _of(out, json.loads((out / DATASET_FILE).read_text(encoding="utf-8")))
    shards = math.ceil(settings.pictures / settings.shard)
    with stop_requests() as stop:
        for shard in range(shards):
            if not _is_whole(out, _record(out, shard, digest)):
                _write_shard(labeller, settings, out, shard, digest)
            done = min(settings.pictures, (shard + 1) * settings.shard)
            reporter.progress(done, settings.pictures, "pictures with labels")
            if stop and shard + 1 < shards:
                raise TrainingStopped(
                    f"handsoff generation: stopped at {done} of {settings.pictures} pictures; run it again to go on."
                )
    return _finish(labeller, settings, out, digest, shards)


def _write_shard(labeller: Labeller, settings: GenerationSettings, out: Path, shard: int, digest: str) -> None:
    first = shard * settings.shard
    count = min(settings.shard, settings.pictures - first)
    frozen = labeller.frozen
    w = frozen.map(frozen.latents(count, settings.seed * 1_000_003 + shard))
    rows: list[dict[str, Any]] = []
    for codes in w.split(LABEL_AT_ONCE):
        pictures, labels = to_uint8(frozen.synthesise(codes)), labeller.label(codes)
        for row, picture in enumerate(pictures):
            name = f"{first + len(rows):07d}"
            _publish(out / "images" / f"{name}.png", png_bytes(picture))
            rows.append({"name": name, **_write_labels(labeller, labels, row, out, name)})
    publish_text(json.dumps({"digest": digest, "rows": rows}), out / "shards" / f"{shard:05d}.json")


def _write_labels(labeller: Labeller, labels: Labels, row: int, out: Path, name: str) -> dict[str, Any]:
    """Files of one picture's labels; its line of the shard's record."""
    kinds = labeller.kinds
    if kinds.classes:
        _publish(out / "masks" / f"{name}.png", png_bytes(labels.masks[row]))
    for of, values in zip(kinds.maps, labels.maps[row], strict=True):
        _publish(out / "maps" / of / f"{name}.png", map_png(values, kinds.maps[of]))
    points = {
        keypoint: [round(float(x), 2), round(float(y), 2), round(float(heat), 4)]
        for keypoint, (x, y, heat) in zip(kinds.keypoints, labels.points[row], strict=True)
        if heat >= SHOWN
    }
    return {"uncertainty": float(labels.uncertainty[row]), "points": points}


def _finish(labeller: Labeller, settings: GenerationSettings, out: Path, digest: str, shards: int) -> GeneratedSet:
    """Hold the filter against all pictures and end the set."""
    rows = [row for shard in range(shards) for row in _record(out, shard, digest) or []]
    uncertainty = np.asarray([row["uncertainty"] for row in rows])
    kept = certain_enough(uncertainty, settings.drop, settings.most_uncertain)
    if not len(kept):
        raise SelvedgeError(
            f"the filter leaves none of {len(rows)} pictures: the least uncertain one has {uncertainty.min():.4f}; "
            "lower handsoff.drop or raise handsoff.most_uncertain, in a new folder, or label more pictures."
        )
    kinds, stays = labeller.kinds, set(kept.tolist())
    counts = np.zeros(max(1, len(kinds.classes)), np.int64)

    def masks() -> Iterator[tuple[str, np.ndarray, Mapping[str, Any]]]:
        for row in kept:
            name = rows[row]["name"]
            mask = _mask(out, name) if kinds.classes else np.zeros((labeller.frozen.size,) * 2, np.uint8)
            counts[:] += np.bincount(mask.ravel(), minlength=len(counts))
            yield f"{name}.png", mask, rows[row]["points"]

    publish_text(coco_json(kinds.classes, kinds.keypoints, masks()), out / COCO_FILE)
    publish_text(labels_json(kinds, {rows[row]["name"]: rows[row]["points"] for row in kept}), out / LABELS_FILE)
    for number, row in enumerate(rows):
        if number not in stays:
            for folder in ("images", "masks", *(f"maps/{of}" for of in kinds.maps)):
                (out / folder / f"{row['name']}.png").unlink(missing_ok=True)
    dropped = np.delete(uncertainty, kept)
    about = {
        "format": FORMAT,
        "digest": digest,
        "sampled": len(rows),
        "kept": len(kept),
        "bound": float(uncertainty[kept].max()),
        "mean_kept": float(uncertainty[kept].mean()),
        "mean_dropped": float(dropped.mean()) if len(dropped) else None,
        "shares": {name: float(n / max(1, counts.sum())) for name, n in zip(kinds.classes, counts, strict=False)},
        "labeller": labeller.digest,
        "generator": labeller.frozen.digest,
        "settings": settings.to_dict(),
    }
    publish_text(json.dumps(about, indent=1) + "\n", out / DATASET_FILE)
    return _of(out, about)


def _mask(out: Path, name: str) -> np.ndarray:
    with Image.open(out / "masks" / f"{name}.png") as image:
        return np.asarray(image)


def _publish(file: Path, content: bytes) -> None:
    publish_bytes(content, file, sync=False)  # what a power cut takes is written again (`_is_whole`)


def _record(out: Path, shard: int, digest: str) -> list[dict[str, Any]] | None:
    """The lines of a shard that is whole; None where it is not."""
    try:
        record = json.loads((out / "shards" / f"{shard:05d}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if record["digest"] != digest:
        return None
    rows: list[dict[str, Any]] = record["rows"]
    return rows


def _is_whole(out: Path, rows: list[dict[str, Any]] | None) -> bool:
    """Whether a shard has its record and all its pictures: a power cut may leave the one without the others."""
    files = [out / "images" / f"{row['name']}.png" for row in rows or ()]
    return bool(files) and all(file.is_file() and file.stat().st_size for file in files)


def _refuse_another(out: Path, digest: str) -> None:
    """Raises SelvedgeError: the folder holds pictures of another labeller, generator or settings."""
    for file in (out / DATASET_FILE, out / "shards" / "00000.json"):
        try:
            earlier = json.loads(file.read_text(encoding="utf-8"))["digest"]
        except (OSError, ValueError, KeyError):
            continue
        if earlier != digest:
            raise SelvedgeError(
                f"folder {out} holds a set of another labeller, generator or settings; give a new folder."
            )


def _of(out: Path, about: Mapping[str, Any]) -> GeneratedSet:
    names = ("digest", "sampled", "kept", "bound", "mean_kept", "shares")
    dropped = math.nan if about["mean_dropped"] is None else about["mean_dropped"]
    return GeneratedSet(folder=out, mean_dropped=dropped, **{name: about[name] for name in names})
