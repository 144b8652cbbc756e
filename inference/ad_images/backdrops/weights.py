"""Weights: is a folder one of an inpainting pipeline that may paint, and what is it exactly.

Belongs here: reading model_index.json, the licence, what files there are, the digest; pipelines.yaml says what is
allowed. Not here: loading and calling a pipeline (diffusion.py). Neither torch nor diffusers is imported.

Nothing is ever downloaded, and no pickle is opened. A licence is what the folder states (README.md's `license:`, a
LICENSE file), and both when there are both; some models are refused whatever a copy of them says.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import yaml

from inference.ad_images.refusal import AdRefused, RefusalCode

TABLE = Path(__file__).with_name("pipelines.yaml")
INDEX = "model_index.json"
LIBRARIES = ("diffusers", "transformers")
WEIGHTLESS = ("scheduler", "tokenizer", "tokenizer_2", "feature_extractor", "image_processor")
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")


@dataclass(frozen=True)
class Pipeline:
    """A row of pipelines.yaml.

    Attributes:
        call: arguments by name. negative: the negative prompt; None where the class takes none.
    """

    model: str
    paints_with: str
    folders_of: tuple[str, ...]
    licences: tuple[str, ...]
    max_pixels: int
    call: Mapping[str, Any]
    negative: str | None = None


@dataclass(frozen=True)
class Weights:
    """A folder that may paint.

    Attributes:
        absent: components that its index lists as none, such as the text encoder of a folder that is given embeddings.
        licence: as the folder states it.
    """

    folder: Path
    pipeline: Pipeline
    licence: str
    absent: tuple[str, ...] = ()
    components: tuple[str, ...] = field(default=())

    def digest(self) -> str:
        """sha256 over names and contents of the index, the configurations and the weights; reads every byte."""
        content = hashlib.sha256()
        for file in sorted(self.folder.rglob("*")):
            if file.is_file() and file.suffix in (".json", ".safetensors", ".txt", ".model"):
                stat = file.stat()
                inner = _file_sha256(file, stat.st_size, stat.st_mtime_ns)
                content.update(f"{file.relative_to(self.folder)}:{inner}\n".encode())
        return content.hexdigest()


@lru_cache(maxsize=256)
def _file_sha256(file: Path, _size: int, _modified_ns: int) -> str:
    """Hashing 13 GB takes a quarter of a minute: once a process."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return table


def pipelines() -> list[Pipeline]:
    """Pipelines that may paint, the default first."""
    return [
        Pipeline(**{**row, "folders_of": tuple(row["folders_of"]), "licences": tuple(row["licences"])})
        for row in _table()["pipelines"]
    ]


def check_weights(folder: Path) -> Weights:
    """What a folder holds, when it may paint.

    Raises:
        AdRefused: BACKEND_MISSING: no folder, no index, another architecture, weights that are missing or not
            safetensors. NO_LICENCE: a denied model, a licence that is not allowed, or none stated.
    """
    index = _json(folder / INDEX, folder)
    _refuse_denied(folder, index)
    name = index.get("_class_name")
    pipeline = next((row for row in pipelines() if name in row.folders_of), None)
    if pipeline is None:
        usable = ", ".join(row.model for row in pipelines())
        raise _missing(f"{folder} holds a {name}, which is no inpainting pipeline of ours; give one of {usable}.")
    licence = _licence(folder)
    if licence not in pipeline.licences:
        raise AdRefused(
            RefusalCode.NO_LICENCE,
            f"{folder} states the licence {licence!r}; of {pipeline.model} only {', '.join(pipeline.licences)} may be "
            "used for ads.",
        )
    absent, components = _components(folder, index)
    return Weights(folder, pipeline, licence, absent, components)


def _missing(sentence: str) -> AdRefused:
    return AdRefused(RefusalCode.BACKEND_MISSING, sentence)


def _json(file: Path, folder: Path) -> dict[str, Any]:
    default = pipelines()[0].model
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise _missing(
            f"{folder} has no {file.relative_to(folder)}, so it holds no pipeline of diffusers; put the files of "
            f"{default} there, or set SELVEDGE_AD_WEIGHTS to their folder."
        ) from error
    except (OSError, ValueError) as error:
        raise _missing(f"{file} cannot be read as JSON ({error}); copy the weights again.") from error
    if not isinstance(content, dict):
        raise _missing(f"{file} is no JSON object; copy the weights again.")
    return content


def _refuse_denied(folder: Path, index: Mapping[str, Any]) -> None:
    card = _card(folder)
    bases = card.get("base_model") or []
    names = [
        folder.resolve().name,
        str(index.get("_name_or_path", "")),
        *([bases] if isinstance(bases, str) else bases),
    ]
    plain = [re.sub("[^a-z0-9]", "", str(name).lower()) for name in names]
    transformer = folder / "transformer" / "config.json"
    config = _json(transformer, folder) if transformer.is_file() else {}
    for row in _table()["denied"]:
        dimensions = row.get("transformer")
        if (
            index.get("_class_name") in row.get("classes", ())
            or any(part in name for part in row["names"] for name in plain)
            or (dimensions and all(config.get(key) == value for key, value in dimensions.items()))
        ):
            raise AdRefused(
                RefusalCode.NO_LICENCE,
                f"{folder} holds {row['model']}, which is under {row['licence']} and may not be used for ads; use "
                f"{pipelines()[0].model} (Apache-2.0).",
            )


def _card(folder: Path) -> dict[str, Any]:
    """The fields at the head of the model card; empty without one."""
    file = folder / "README.md"
    if not file.is_file():
        return {}
    head = re.match(r"\s*---\s*\n(.*?)\n---\s*(\n|$)", file.read_text(encoding="utf-8", errors="replace"), re.DOTALL)
    try:
        fields = yaml.safe_load(head[1]) if head else {}
    except yaml.YAMLError as error:
        raise _missing(f"the head of {file} is no YAML ({error}); copy the model card again.") from error
    return fields if isinstance(fields, dict) else {}


def _licence(folder: Path) -> str:
    """The licence that the folder states; of card and LICENSE file, the one that is not allowed where they differ."""
    card = _card(folder)
    stated = str(card.get("license") or "").lower()
    if stated == "other":
        stated = str(card.get("license_name") or "other").lower()
    written = [_recognised(file) for file in sorted(folder.glob("LICEN[CS]E*")) if file.is_file()]
    licences = [licence for licence in [stated, *written] if licence]
    if not licences:
        raise AdRefused(
            RefusalCode.NO_LICENCE,
            f"{folder} states no licence; put the model's README.md (with its `license:` field) or LICENSE file there.",
        )
    allowed = {licence for row in pipelines() for licence in row.licences}
    return next((licence for licence in licences if licence not in allowed), licences[0])


def _recognised(file: Path) -> str:
    text = " ".join(file.read_text(encoding="utf-8", errors="replace").lower().split())
    for row in _table()["licence_texts"]:
        if all(words in text for words in row["holds"]):
            return str(row["licence"])
    return f"of {file.name}"


def _components(folder: Path, index: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the components that the index lists as none, and of those that have weights."""
    absent, weighted = [], []
    for name, value in index.items():
        if name.startswith("_") or not isinstance(value, list):
            continue
        if value == [None, None]:
            absent.append(name)
            continue
        if len(value) != 2 or value[0] not in LIBRARIES:
            raise _missing(f"{folder / INDEX} wants code of its own for {name} ({value}), which is never run.")
        if name not in WEIGHTLESS:
            _require_safetensors(folder / name)
            weighted.append(name)
    return tuple(absent), tuple(weighted)


def _require_safetensors(component: Path) -> None:
    files = list(component.glob("*")) if component.is_dir() else []
    if any(file.suffix == ".safetensors" for file in files):
        return
    pickled = next((file for file in files if file.suffix in PICKLES), None)
    if pickled:
        raise _missing(f"{pickled} is a pickle, which is never opened; get the safetensors of this model.")
    raise _missing(f"{component} has no weights (*.safetensors); copy the model's whole folder.")
