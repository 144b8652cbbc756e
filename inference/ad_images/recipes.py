"""Recipes: all that decided a picture, as a JSON file beside it, from which it is made again.

Belongs here: the type, its file form and checks. Not here: making a picture (pipeline.py), where files lie (store.py).

A recipe file holds a format number, the content, and the content's hash: one that was changed by hand is no record of
anything. The photograph itself is not in it, only its hash: it is given again, and held to that.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from catalog.errors import SelvedgeError
from catalog.files import json_sha256
from catalog.stores import stored_bytes
from inference.ad_images.cutout import Cutout
from inference.ad_images.finding import Finding
from inference.ad_images.plan import Plan
from inference.ad_images.request import AdBrief, AdRequest
from inference.ad_images.scene import Scene

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from upath import UPath

FORMAT = 1


@dataclass(frozen=True)
class CutoutStamp:
    """Which cut-out it was, without its pixels."""

    digest: str
    source_sha256: str
    method: str
    confidence: float
    person: bool

    @classmethod
    def of(cls, cutout: Cutout) -> "CutoutStamp":
        return cls(cutout.digest, cutout.source_sha256, cutout.method, cutout.confidence, cutout.person)


@dataclass(frozen=True)
class Recipe:
    """One picture.

    Attributes:
        brief: with everything that was inferred; its request without the photograph's bytes.
        photo_sha256: of those bytes.
        backdrop, backdrop_version: who painted; made again only with the same.
        asset: name and licence of the library photograph, as in the result.
        attempt: which one it was, from 0. changed: what each attempt up to it changed.
        findings: every answer of quality control. relaxed: guidelines that were let go.
        score: the ranker's. rank: 1 is shown first. features: what the ranker learns from, by name; empty of a picture
            that was made before these were kept.
        pixels_sha256: of the picture (`pixels_sha256`), whatever file it is in.
        context: digests and versions of what else decided: brand file, ranker, attribute model.
    """

    brief: AdBrief
    photo_sha256: str
    cutout: CutoutStamp
    caption: str
    plan: Plan
    scene: Scene
    backdrop: str
    backdrop_version: str
    findings: tuple[Finding, ...]
    score: float
    rank: int
    pixels_sha256: str
    selvedge: str
    asset: str = ""
    attempt: int = 0
    changed: tuple[str, ...] = ()
    relaxed: tuple[str, ...] = ()
    context: Mapping[str, str] = field(default_factory=dict)
    features: Mapping[str, float] = field(default_factory=dict)

    def request(self, photo: bytes) -> AdRequest:
        """The request with its photograph.

        Raises:
            SelvedgeError: it is another photograph.
        """
        sha256 = hashlib.sha256(photo).hexdigest()
        if sha256 != self.photo_sha256:
            raise SelvedgeError(
                f"the recipe of {self.brief.request.request_id} is of another photograph (sha256 {self.photo_sha256}, "
                f"not {sha256}); give the one that it was made of."
            )
        return replace(self.brief.request, photo=photo)

    def brief_with(self, photo: bytes) -> AdBrief:
        """The brief whose request holds its photograph. Raises: SelvedgeError: it is another photograph."""
        return replace(self.brief, request=self.request(photo))

    def require_cutout(self, cutout: Cutout) -> None:
        """Raises SelvedgeError: the photograph is cut out otherwise than it was for the recipe."""
        if cutout.digest != self.cutout.digest:
            raise SelvedgeError(
                f"the product of {self.brief.request.request_id} is cut out by {cutout.method} otherwise than by "
                f"{self.cutout.method} of Selvedge {self.selvedge}; use that version."
            )

    def require_same(self, pixels: np.ndarray, backdrop_version: str) -> None:
        """Raises SelvedgeError: a picture that was made again is not the one of the recipe."""
        if backdrop_version != self.backdrop_version:
            raise SelvedgeError(
                f"the recipe was painted by {self.backdrop} {self.backdrop_version}, not by {backdrop_version}; "
                "make it again with the same."
            )
        if pixels_sha256(pixels) != self.pixels_sha256:
            raise SelvedgeError(
                f"the picture made again of {self.brief.request.request_id} is another one than the recipe's "
                f"(made by Selvedge {self.selvedge}, this is {selvedge_version()}); use that version, on a CPU."
            )


def selvedge_version() -> str:
    try:
        return version("selvedge")
    except PackageNotFoundError:  # a checkout that nobody installed
        return "unknown"


def pixels_sha256(pixels: np.ndarray) -> str:
    """sha256 over size and pixels of a (height, width, 3) uint8 picture."""
    head = f"{pixels.shape[1]}x{pixels.shape[0]}:".encode()
    return hashlib.sha256(head + np.ascontiguousarray(pixels).tobytes()).hexdigest()


@cache
def _adapter() -> "TypeAdapter[Recipe]":
    from pydantic import TypeAdapter

    return TypeAdapter(Recipe)


def recipe_bytes(recipe: Recipe) -> bytes:
    """The recipe as a file: JSON, UTF-8; the same recipe, the same bytes."""
    bare = replace(recipe, brief=replace(recipe.brief, request=replace(recipe.brief.request, photo=b"")))
    content = _plain(_adapter().dump_python(bare, mode="json"))
    stamped = {"format": FORMAT, "sha256": json_sha256(content), "content": content}
    return (json.dumps(stamped, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n").encode()


def _plain(content: Any) -> Any:
    """JSON has no infinite numbers and no NaN: they are written as words, which are read as numbers again."""
    if isinstance(content, float) and not math.isfinite(content):
        return str(content)
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items()}
    return [_plain(value) for value in content] if isinstance(content, list) else content


def read_recipe(file: "str | Path | UPath") -> Recipe:
    """A recipe from its file, in a folder or a bucket.

    Raises:
        SelvedgeError: missing, damaged, changed by hand, or of a newer Selvedge.
        ServiceUnavailable: the object store did not answer.
    """
    from upath import UPath

    path = UPath(file)
    try:
        content = stored_bytes(path)
    except FileNotFoundError as error:
        raise SelvedgeError(f"{path} does not exist; make the ad again by `selvedge infer ads`.") from error
    except OSError as error:
        raise SelvedgeError(f"{path} cannot be read ({error.strerror or error}); check its permissions.") from error
    return parsed_recipe(content, str(path))


def parsed_recipe(content: bytes, name: str) -> Recipe:
    """A recipe from the bytes of its file, called `name` in sentences. Raises: SelvedgeError, as `read_recipe`."""
    again = "make the ad again by `selvedge infer ads`"
    try:
        stamped = json.loads(content)
    except ValueError as error:
        raise SelvedgeError(f"{name} is no JSON ({error}); {again}.") from error
    if not isinstance(stamped, dict) or not {"format", "sha256", "content"} <= stamped.keys():
        raise SelvedgeError(f"{name} is no recipe of an ad; {again}.")
    if stamped["format"] != FORMAT:
        raise SelvedgeError(
            f"{name} has format {stamped['format']!r}; this Selvedge reads {FORMAT}: use the one that wrote it."
        )
    if json_sha256(stamped["content"]) != stamped["sha256"]:
        raise SelvedgeError(f"{name} was changed after it was written: its content has another hash; {again}.")
    try:
        return _adapter().validate_python(stamped["content"])
    except ValueError as error:
        raise SelvedgeError(f"{name} is no recipe of an ad ({str(error).splitlines()[1]}); {again}.") from error
