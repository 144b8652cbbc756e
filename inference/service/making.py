"""Making: one accepted order through the stages of ad images, kept as files, told as an outcome.

Belongs here: from an order to pictures, recipes and the nine plans. Not here: the stages (ad_images/), leases and
retries (jobs.py), addresses (app.py).

An order holds everything that decides its pictures, so whoever makes it again after a kill makes the same bytes. A
comment's order repeats the one it is about and adds the comment; where that one's work is still in memory, only the
stages that the comment concerns run again.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from PIL import Image
from upath import UPath

from catalog.errors import SelvedgeError
from catalog.files import jpeg_bytes, json_sha256, publish_bytes
from catalog.stores import stored_bytes
from inference.ad_images.batch import AdMaker
from inference.ad_images.pipeline import Entered
from inference.ad_images.refusal import AdRefused, RefusalCode
from inference.ad_images.request import AdRequest, ListedProduct, OnModel
from inference.ad_images.result import AdResult, Attempt, Judged, NothingPassed
from inference.ad_images.store import recipe_key

ADS, PHOTOS, PLANS = "ads", "photos", "plans"  # folders below the service's root
REMEMBERED = 4  # results whose arrays stay in memory for comments
PLAN_SIDE, PLAN_QUALITY = 320, 85


@dataclass(frozen=True)
class Order:
    """What is to be made.

    Attributes:
        name: of the request that the first one of its comments is about, as a folder's name.
        photo_uri: below the service's root where it was uploaded, else of the catalogue. photo_sha256: of its bytes.
        product: fields of a `ListedProduct`; None for a photograph of nobody's.
        brand: a preset; None for the settings' guidelines.
        after: id of the request that the last comment is about. comments: in their order, all about the first pictures.
        champions: role to the artefact's folder. models: role to the version's address, as answers show it.
    """

    name: str
    photo_uri: str
    photo_sha256: str
    product: Mapping[str, Any] | None
    prompt: str | None
    theme: str | None
    brand: str | None
    size: tuple[int, int]
    seed: int
    on_model: str
    after: str | None = None
    comments: tuple[str, ...] = ()
    champions: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Order":
        """From the plain data that `plain` gave."""
        return cls(**{**values, "size": tuple(values["size"]), "comments": tuple(values["comments"])})

    def plain(self) -> dict[str, Any]:
        return asdict(self)

    def request(self, photo: bytes) -> AdRequest:
        return AdRequest(
            self.name,
            photo,
            None if self.product is None else ListedProduct(**self.product),
            prompt=self.prompt,
            theme=self.theme,
            size=self.size,
            seed=self.seed,
            on_model=OnModel(self.on_model),
        )


class AdDesk:
    """Where orders are made, one at a time.

    Args:
        root: folder or bucket of the service's files.
        maker_of: what makes an order: by its brand and its champions.
    """

    def __init__(self, root: UPath, maker_of: Callable[[Order], AdMaker]) -> None:
        self._root, self._maker_of = root, maker_of
        self._results: OrderedDict[str, AdResult] = OrderedDict()

    def make(self, order: Order, entered: Entered) -> dict[str, Any]:
        """The outcome of an order, as plain data; its files are there when this returns.

        Raises:
            AdRefused: by a guardrail, the cut-out, quality control, or the photograph is gone.
            SelvedgeError: a file cannot be written, or a setting does not fit. ServiceUnavailable.
            Whatever `entered` raises.
        """
        request = order.request(self._photo(order))
        maker = self._maker_of(order)
        comment = "\n".join(order.comments)
        result = self._made(order, request, maker, entered)
        if comment:
            result = maker.pipeline.rework(result, comment, entered)
        key = recipe_key(request, {**maker.context, "comment": comment})
        row = maker.store.keep(result, key, maker.pipeline.backdrop, maker.context)
        return {
            **self._plans(order, result.attempts[-1], result.top),
            "subject": result.brief.subject,
            "theme": result.brief.theme,
            "caption": result.caption,
            "asset": result.asset,
            "made_by": dict(maker.context),
            "reasons": list(result.reasons),
            "changed": [attempt.changed for attempt in result.attempts if attempt.changed],
            "seconds": {stage: round(seconds, 3) for stage, seconds in result.seconds.items()},
            "pictures": [
                {
                    "rank": picture.rank,
                    "file": picture.uri.removeprefix(f"{self._root}/"),
                    "sha256": picture.sha256,
                    "recipe_sha256": picture.recipe_sha256,
                    "score": picture.score,
                }
                for picture in row.pictures
            ],
        }

    def fallen(self, order: Order, refusal: NothingPassed) -> dict[str, Any]:
        """The outcome of an order of which no plan passed: why, plan by plan. Raises: SelvedgeError, as `make`."""
        return {"code": str(refusal.code), "sentence": str(refusal), **self._plans(order, refusal.attempt, ())}

    def _plans(self, order: Order, attempt: Attempt, top: Sequence[int]) -> dict[str, Any]:
        """Every plan of an attempt: its small picture as a file, its place, and why it fell or that it passed."""
        folder = f"{PLANS}/{order.name}/{json_sha256(order.plain())[:16]}"
        plans = []
        for position, judged in enumerate(attempt.judged):
            plan = judged.picture.placed.plan
            publish_bytes(_small(judged), self._root / folder / f"{plan.number + 1}.jpg")
            plans.append(
                {
                    "number": plan.number + 1,
                    "section": plan.section + 1,
                    "sections": plan.sections,
                    "rotation": plan.rotation,
                    "score": round(judged.score, 4),
                    "rank": list(top).index(position) + 1 if position in top else None,
                    "passed": not judged.failed,
                    "why": [finding.sentence for finding in judged.failed],
                    "let_go": list(judged.relaxed),
                }
            )
        return {"plans_at": folder, "plans": plans}

    def _made(self, order: Order, request: AdRequest, maker: AdMaker, entered: Entered) -> AdResult:
        """The result before any comment, from memory where it was made here just now."""
        name = json_sha256({**replace(order, after=None, comments=()).plain(), "context": dict(maker.context)})
        result = self._results.get(name)
        if result is None:
            result = self._results[name] = maker.pipeline.make(request, entered)
        self._results.move_to_end(name)
        while len(self._results) > REMEMBERED:
            self._results.popitem(last=False)
        return result

    def _photo(self, order: Order) -> bytes:
        uploaded = order.photo_uri.startswith(f"{PHOTOS}/")
        try:
            photo = stored_bytes(self._root / order.photo_uri if uploaded else order.photo_uri)
        except OSError as error:
            raise AdRefused(
                RefusalCode.PHOTO_UNREADABLE,
                f"the photograph of {order.name} cannot be read ({type(error).__name__}); send it again.",
            ) from error
        if hashlib.sha256(photo).hexdigest() != order.photo_sha256:
            raise AdRefused(
                RefusalCode.PHOTO_UNREADABLE,
                f"the photograph of {order.name} is not the one that was accepted; read its drop again.",
            )
        return photo


def photo_file(sha256: str) -> str:
    """Where an uploaded photograph is kept, below the service's root."""
    return f"{PHOTOS}/{sha256[:2]}/{sha256}"


def kept_file(root: UPath, name: str, sha256: str | None = None) -> bytes:
    """A file that an outcome names, held to its hash where one is given.

    Raises:
        SelvedgeError: it is gone, or is not the one that was made.
    """
    try:
        content = stored_bytes(root / name)
    except OSError as error:
        raise SelvedgeError(f"{name} of the service's files is gone; ask again under another request id.") from error
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise SelvedgeError(f"{name} of the service's files was changed; ask again under another request id.")
    return content


def _small(judged: Judged) -> bytes:
    picture = Image.fromarray(judged.picture.pixels)
    picture.thumbnail((PLAN_SIDE, PLAN_SIDE), Image.Resampling.LANCZOS)
    return jpeg_bytes(picture, PLAN_QUALITY)
