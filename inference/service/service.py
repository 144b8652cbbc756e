"""The service's parts together, and what its addresses do with them.

Belongs here: accepting an ad, its files, attributes and descriptions of a photograph, readiness. Not here: HTTP
(app.py), the parts.
"""

import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from PIL import Image
from upath import UPath

from catalog.files import json_sha256, publish_bytes
from catalog.pictures import Limits
from catalog.stores import is_there
from inference.ad_images.brief import write_brief
from inference.ad_images.comments import route_comment
from inference.ad_images.cutouts.photograph import read_photograph
from inference.ad_images.guardrails.local import LocalGuardrail, check_comment
from inference.ad_images.provenance import Form, picture_file, source_type
from inference.ad_images.recipes import parsed_recipe
from inference.ad_images.refusal import AdRefused, RefusalCode
from inference.ad_images.themes import theme_names
from inference.service.access import Admission
from inference.service.batching import Batcher
from inference.service.bodies import Body
from inference.service.champions import ATTRIBUTES, Champions, Served
from inference.service.jobs import Job, Jobs, State
from inference.service.keys import Keys
from inference.service.making import Order, kept_file, photo_file
from inference.service.messages import AdBody
from inference.service.metrics import Labels, Metrics
from inference.service.photographs import DescriptionDesk, decoded_copy, require_article_type
from inference.service.products import Products
from inference.service.refusals import RequestRefused


@dataclass(frozen=True)
class ServiceLimits:
    """What one request, and one client, may be.

    Attributes:
        body: bytes. pixels: of a photograph, held before it is decoded.
        per_minute: requests for work of a client. at_once: of them that are answered while the client waits.
        jobs: unfinished ads of a client.
    """

    body: int = 20 << 20
    pixels: int = 25_000_000
    per_minute: int = 120
    at_once: int = 64
    jobs: int = 8

    @property
    def photo(self) -> Limits:
        return Limits(pixels=self.pixels, image_bytes=self.body)


@dataclass(frozen=True)
class AdDefaults:
    """Of ads that do not say otherwise. size: pixels. judged: whether the attributes' champion judges finished ads."""

    size: tuple[int, int] = (512, 512)
    on_model: str = "refuse"
    judged: bool = False


@dataclass(frozen=True)
class Service:
    """Everything that answers.

    Attributes:
        root: folder or bucket of the service's files. audit: takes one entry a request.
        workers: how many worker processes live.
    """

    jobs: Jobs
    keys: Keys
    champions: Champions
    batcher: Batcher
    products: Products
    describing: DescriptionDesk
    admission: Admission
    metrics: Metrics
    root: UPath
    audit: Callable[[Mapping[str, Any]], None]
    workers: Callable[[], int]
    limits: ServiceLimits = ServiceLimits()
    defaults: AdDefaults = AdDefaults()

    def accept(self, client: str, request_id: str, body: Body) -> tuple[Job, bool]:
        """The job of a request for an ad, and whether it is new; an uploaded photograph is stored before its row.

        Raises:
            RequestRefused, AdRefused: it cannot be made of this; nothing is stored. OtherBody, TooManyJobs.
        """
        asked = body.checked(AdBody)
        photo_sha256 = hashlib.sha256(body.photo).hexdigest() if body.photo else ""
        body_sha256 = json_sha256({**asked.model_dump(), "photo": photo_sha256})
        earlier = self.jobs.find(client, request_id)
        if earlier is not None:  # whatever became of its product meanwhile
            return self.jobs.accept(client, request_id, body_sha256, earlier.order, self.limits.jobs)
        order = self._commented(client, asked) if asked.after else self._ordered(client, request_id, asked, body.photo)
        self.jobs.require_room(client, self.limits.jobs)
        if body.photo and not is_there(self.root / photo_file(photo_sha256)):
            publish_bytes(body.photo, self.root / photo_file(photo_sha256), private=True)
        return self.jobs.accept(client, request_id, body_sha256, order.plain(), self.limits.jobs)

    def _ordered(self, client: str, request_id: str, asked: AdBody, photo: bytes) -> Order:
        if (asked.product is None) == (not photo):
            sentence = "an ad is made of a product or of a photograph; send `product`, or the file `photo` in a form."
            raise RequestRefused(422, "bad_request", sentence)
        order = Order(
            name=f"{client}--{request_id}",
            photo_uri="",
            photo_sha256="",
            product=None,
            prompt=asked.prompt,
            theme=asked.theme,
            brand=asked.brand,
            size=asked.pixels(self.defaults.size),
            seed=asked.seed,
            on_model=self.defaults.on_model,
            champions=self._champions("folder"),
            models=self._champions("uri"),
        )
        if asked.product is not None:
            listed = self.products.find(asked.product, asked.drop)
            sha256, uri = listed.photo_sha256, listed.photo_uri
            order = replace(order, product=asdict(listed.product), photo_uri=uri, photo_sha256=sha256)
        else:
            read_photograph(photo, self.limits.photo)
            sha256 = hashlib.sha256(photo).hexdigest()
            order = replace(order, photo_uri=photo_file(sha256), photo_sha256=sha256)
        write_brief(order.request(photo or b"of the catalogue"))
        if asked.prompt is not None:
            brands = self.products.brands()
            own = brands if order.product is None else (order.product["brand"], order.product["title"])
            LocalGuardrail(own, brands).check_prompt(asked.prompt)
        return order

    def _champions(self, part: str) -> dict[str, str]:
        """Role to folder or address of the champions that have a part in ads, as they are now."""
        return {
            role: str(getattr(champion, part))
            for role, champion in self.champions.named().items()
            if role != ATTRIBUTES or self.defaults.judged
        }

    def _commented(self, client: str, asked: AdBody) -> Order:
        assert asked.after is not None
        assert asked.comment is not None
        earlier = self.ad(client, asked.after)
        if earlier.state is not State.DONE:
            raise RequestRefused(
                409, "not_done", f"request {asked.after} is {earlier.state}; comment on one that is done."
            )
        check_comment(asked.comment)
        change = route_comment(asked.comment, theme_names())
        if not change.stages:
            raise AdRefused(RefusalCode.BAD_REQUEST, f"the comment changes nothing: {change.sentence}.")
        order = Order.of(earlier.order)
        return replace(order, after=asked.after, comments=(*order.comments, asked.comment))

    def ad(self, client: str, request_id: str) -> Job:
        """A client's own request. Raises: RequestRefused: 404."""
        job = self.jobs.find(client, request_id)
        if job is None:
            raise RequestRefused(404, "not_found", f"there is no request {request_id} of {client}.")
        return job

    def pick(self, client: str, request_id: str, rank: int) -> Job:
        """The client's request, with the picture that it would publish. Raises: RequestRefused: there is none such."""
        job = self.ad(client, request_id)
        _picture(job, rank)
        self.jobs.pick(job, rank)
        return self.ad(client, request_id)

    def picture(self, client: str, request_id: str, rank: int, form: str) -> bytes:
        """A picture as png or jpg, or its recipe as json.

        Raises:
            RequestRefused: 404. SelvedgeError: the file is gone or was changed.
        """
        picture = _picture(self.ad(client, request_id), rank)
        name = str(picture["file"])
        note = name.rpartition(".")[0] + ".json"
        if form == "json":
            return kept_file(self.root, note, picture["recipe_sha256"])
        content = kept_file(self.root, name, picture["sha256"])
        if form == "png":
            return content
        recipe = parsed_recipe(kept_file(self.root, note, picture["recipe_sha256"]), note)
        tool = f"Selvedge {recipe.selvedge} ({recipe.backdrop} {recipe.backdrop_version})"
        identifier = f"sha256:{picture['recipe_sha256']}"
        return picture_file(_pixels(content), Form.JPEG, source_type(recipe.backdrop), tool, identifier)

    def plan(self, client: str, request_id: str, number: int) -> bytes:
        """A plan's small picture. Raises: as `picture`."""
        job = self.ad(client, request_id)
        if not any(plan["number"] == number for plan in job.outcome.get("plans", [])):
            raise RequestRefused(404, "not_found", f"request {request_id} has no plan {number}.")
        return kept_file(self.root, f"{job.outcome['plans_at']}/{number}.jpg")

    def attributes(self, served: Served, photo: bytes, article_type: str | None) -> dict[str, Any]:
        """What the champion sees on a photograph. Raises: AdRefused: it is none, or no such article type."""
        require_article_type(article_type, served.model.schema)
        answers = self.batcher.ask(served, decoded_copy(photo, self.limits.photo), article_type)
        return {
            "model": served.champion.uri,
            "digest": served.model.digest,
            "attributes": [asdict(answer) for answer in answers],
        }

    def description(self, served: Served, photo: bytes, article_type: str | None, gender: str) -> dict[str, Any]:
        """What the champion sees, and a text that keeps to it. Raises: as `attributes`, and nothing can be said."""
        require_article_type(article_type, served.model.schema)
        answers = self.batcher.ask(served, decoded_copy(photo, self.limits.photo), article_type)
        return {
            "model": served.champion.uri,
            "digest": served.model.digest,
            "attributes": [asdict(answer) for answer in answers],
            **self.describing.description(photo, answers, served, article_type, gender),
        }

    def served(self) -> Served:
        """The attributes' champion. Raises: RequestRefused: 503, there is none; the sentence says why."""
        served = self.champions.attributes()
        if served is None:
            why = self.champions.troubles.get(
                ATTRIBUTES, "the champion of attributes is being looked up; wait a while."
            )
            raise RequestRefused(503, "no_champion", why, 5)
        return served

    def readiness(self) -> dict[str, Any]:
        """Raises: ServiceUnavailable: the database does not answer."""
        workers = self.workers()
        return {
            "ready": self.champions.asked and workers > 0,
            "workers": workers,
            "products": self.products.count(),
            "jobs": self.jobs.counts(),
            "models": {role: champion.uri for role, champion in self.champions.named().items()},
            "troubles": self.champions.troubles,
        }

    def measured(self) -> str:
        """Everything counted, in Prometheus' format."""
        gauges: dict[tuple[str, Labels], float] = {("selvedge_workers", ()): self.workers()}
        for state, count in self.jobs.counts().items():
            gauges["selvedge_jobs", (("state", state),)] = count
        for role, champion in self.champions.named().items():
            gauges["selvedge_model_info", (("role", role), ("version", champion.uri))] = 1
        return self.metrics.text(gauges)


def _picture(job: Job, rank: int) -> Mapping[str, Any]:
    for picture in job.outcome.get("pictures", []):
        if picture["rank"] == rank:
            return dict(picture)
    raise RequestRefused(404, "not_found", f"request {job.request_id} is {job.state} and has no picture {rank}.")


def _pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
