"""Store: finished pictures and their recipes as files, and a row for every request.

Belongs here: where files lie and in which order they are written, what of a killed run is there already. Not here: what
a recipe holds (recipes.py), what a file says of itself (provenance.py), where rows are kept (ad_rows.py,
dynamo_rows.py).

    <root>/<request id>/<recipe key>/1.png, 1.json, 2.png, …

Files first, each whole or not at all, and the row last: a kill leaves files that nobody is told of, which the next run
writes again with the same bytes. The key is a hash of everything that decides the result, so another photograph,
setting or version lies beside what was made before, and the same request is found to be done.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.files import json_sha256, publish_bytes
from catalog.stores import is_there
from inference.ad_images.ad_rows import REFUSED, STORED, AdMetadata, AdRow, StoredPicture, settled
from inference.ad_images.provenance import Form, picture_file, source_type
from inference.ad_images.ranking import features
from inference.ad_images.recipes import CutoutStamp, Recipe, pixels_sha256, recipe_bytes, selvedge_version
from inference.ad_images.refusal import AdRefused, RefusalCode
from inference.ad_images.request import AdRequest
from inference.ad_images.result import AdResult, Judged
from inference.ad_images.scene import Backdrop
from training.ad_ranker.features import FEATURES

if TYPE_CHECKING:
    from upath import UPath

REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
KEY_DIGITS = 16  # of the folder's name


def recipe_key(request: AdRequest, context: Mapping[str, str]) -> str:
    """Hex sha256 of everything that decides what a request comes to.

    Args:
        context: what the request does not say: backdrop and its version, digests of brand file, ranker, attribute
            model and media library, guardrails.
    """
    bare = {**asdict(replace(request, photo=b"")), "photo": hashlib.sha256(request.photo).hexdigest()}
    return json_sha256({"request": bare, "context": dict(context), "selvedge": selvedge_version()})


class AdStore:
    """Files under one root, rows in one database.

    Args:
        root: a folder or a bucket's prefix.
    """

    def __init__(self, root: "str | Path | UPath", rows: AdMetadata, form: Form = Form.PNG) -> None:
        from upath import UPath

        self._root = UPath(root)
        self._rows = rows
        self._form = form

    def stored(self, request_id: str, key: str) -> AdRow | None:
        """The row of a request that is done and whose files are there; None where it is to be made.

        Raises:
            AdRefused: BAD_REQUEST, the id cannot name a folder.
            ServiceUnavailable: database or object store do not answer.
        """
        _require_id(request_id)
        kept = self._rows.find(request_id, key)
        if kept is None or kept.status != STORED:
            return None
        row = self._here(kept)
        return (
            row if all(_exists(uri) for picture in row.pictures for uri in (picture.uri, picture.recipe_uri)) else None
        )

    def keep(self, result: AdResult, key: str, backdrop: Backdrop, context: Mapping[str, str]) -> AdRow:
        """Write the top pictures of a result with their recipes, then its row; returns the row that is kept.

        Args:
            key: `recipe_key` of its request and context.

        Raises:
            AdRefused: BAD_REQUEST, the id cannot name a folder.
            SelvedgeError: a file cannot be written, or other pictures are stored under the same key.
            ServiceUnavailable: database or object store do not answer.
        """
        request = result.brief.request
        _require_id(request.request_id)
        folder = self._root / request.request_id / key[:KEY_DIGITS]
        files: list[tuple[UPath, bytes]] = []
        pictures = []
        for rank, judged in enumerate(result.pictures, start=1):
            recipe = recipe_of(result, judged, rank, backdrop, context)
            text = recipe_bytes(recipe)
            recipe_sha256 = hashlib.sha256(text).hexdigest()
            tool = f"Selvedge {recipe.selvedge} ({backdrop.name} {backdrop.version})"
            source = source_type(backdrop.name)
            content = picture_file(judged.picture.pixels, self._form, source, tool, f"sha256:{recipe_sha256}")
            file, note = folder / f"{rank}.{self._form}", folder / f"{rank}.json"
            files += [(file, content), (note, text)]
            sha256 = hashlib.sha256(content).hexdigest()
            names = [str(path.relative_to(self._root)) for path in (file, note)]
            pictures.append(StoredPicture(rank, names[0], sha256, names[1], recipe_sha256, judged.score))
        row = replace(_row(request, key, STORED, theme=result.brief.theme), pictures=tuple(pictures))
        earlier = self._rows.find(request.request_id, key)
        if earlier is not None:
            settled(earlier, row, str(folder))  # before a file of other pictures is written over
        for file, content in files:
            publish_bytes(content, file)
        return self._here(self._rows.put(row))

    def _here(self, row: AdRow) -> AdRow:
        """The row with its files' places as they are now: rows name them from the root on, which may be moved."""
        pictures = (
            replace(picture, uri=str(self._root / picture.uri), recipe_uri=str(self._root / picture.recipe_uri))
            for picture in row.pictures
        )
        return replace(row, pictures=tuple(pictures))

    def refuse(self, request: AdRequest, key: str, refusal: AdRefused) -> AdRow:
        """Keep why no picture was made; no file is written. Raises: ServiceUnavailable: the database does not answer.

        A request whose id cannot name anything is kept under its hash.
        """
        if not REQUEST_ID.fullmatch(request.request_id):
            request = replace(request, request_id=f"bad-{hashlib.sha256(request.request_id.encode()).hexdigest()[:16]}")
        row = _row(request, key, REFUSED, theme=request.theme or "")
        return self._rows.put(replace(row, code=str(refusal.code), sentence=str(refusal)))


def _row(request: AdRequest, key: str, status: str, theme: str) -> AdRow:
    product = "" if request.product is None else str(request.product.product_id)
    return AdRow(request.request_id, key, status, product, theme, datetime.now(UTC).isoformat(timespec="seconds"))


def _require_id(request_id: str) -> None:
    if not REQUEST_ID.fullmatch(request_id):
        raise AdRefused(
            RefusalCode.BAD_REQUEST,
            f"request id {request_id[:40]!r} cannot name a folder; use 1 to 128 letters, digits, `-` and `_`.",
        )


def _exists(uri: str) -> bool:
    from upath import UPath

    return is_there(UPath(uri))


def recipe_of(result: AdResult, judged: Judged, rank: int, backdrop: Backdrop, context: Mapping[str, str]) -> Recipe:
    """All that decided one picture of a result."""
    picture, brief = judged.picture, result.brief
    return Recipe(
        brief=replace(brief, request=replace(brief.request, photo=b"")),
        photo_sha256=hashlib.sha256(brief.request.photo).hexdigest(),
        cutout=CutoutStamp.of(result.cutout),
        caption=result.caption,
        plan=picture.placed.plan,
        scene=picture.scene,
        backdrop=backdrop.name,
        backdrop_version=backdrop.version,
        findings=tuple(judged.findings),
        score=judged.score,
        rank=rank,
        pixels_sha256=pixels_sha256(picture.pixels),
        selvedge=selvedge_version(),
        asset=result.asset,
        attempt=len(result.attempts) - 1,
        changed=tuple(attempt.changed for attempt in result.attempts if attempt.changed),
        relaxed=tuple(judged.relaxed),
        context=dict(context),
        features=dict(zip(FEATURES, map(float, features(picture, judged.findings)), strict=True)),
    )
