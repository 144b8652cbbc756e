"""Messages: the JSON that the service takes and gives, as its OpenAPI document says it.

Belongs here: fields, their ranges, from a job to an answer. Not here: reading bytes (bodies.py), addresses (app.py).
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from inference.ad_images.adjustments import Stage
from inference.ad_images.comments import LONGEST
from inference.ad_images.quality.brand import presets
from inference.ad_images.themes import theme_names
from inference.service.jobs import Job, State

REQUEST_ID = r"^[A-Za-z0-9_-]{1,64}$"
LEAST_SIDE, MOST_SIDE, STEP = 256, 2048, 64  # pixels, as of SELVEDGE_AD_SIZE
MOST_SEED = 2**31 - 1
STAGES = ("brief", *(str(stage) for stage in Stage))


class Problem(BaseModel):
    """Why there is no answer: a sentence for a person, a word for a program."""

    error: str
    code: str


class AdBody(BaseModel):
    """What an ad is asked of: a product, an uploaded photograph (multipart), or an earlier request with a comment."""

    model_config = ConfigDict(extra="forbid")

    product: int | None = Field(None, ge=0, le=2**63 - 1, description="id of a product of the catalogue")
    drop: str | None = Field(None, max_length=200, description="of the product; the newest that has it by default")
    prompt: str | None = Field(None, max_length=10_000, description="what the picture should show")
    theme: str | None = Field(None, description="the one that fits by default")
    brand: str | None = Field(None, description="guidelines; the service's own by default")
    size: str | None = Field(
        None, pattern=r"^\d{3,4}x\d{3,4}$", description="WIDTHxHEIGHT in pixels, multiples of 64 from 256 to 2048"
    )
    seed: int = Field(0, ge=0, le=MOST_SEED, description="of everything drawn")
    after: str | None = Field(None, pattern=REQUEST_ID, description="an earlier request that `comment` is about")
    comment: str | None = Field(None, max_length=LONGEST, description="what is to be otherwise")

    @model_validator(mode="after")
    def _fits(self) -> "AdBody":
        if (self.after is None) != (self.comment is None):
            raise ValueError("after and comment belong together: an earlier request, and what is to be otherwise")
        given = self.model_fields_set - {"after", "comment"}
        if self.after is not None and given:
            raise ValueError(f"a comment changes an earlier request; leave {', '.join(sorted(given))} out")
        if self.drop is not None and self.product is None:
            raise ValueError("drop belongs to product; give both or neither")
        for name, names in (("theme", theme_names()), ("brand", presets())):
            value = getattr(self, name)
            if value is not None and value not in names:
                raise ValueError(f"there is no {name} {value!r:.60}; choose from {', '.join(names)}")
        if self.size is not None and any(
            side % STEP or not LEAST_SIDE <= side <= MOST_SIDE for side in self.pixels((0, 0))
        ):
            raise ValueError(f"size {self.size} is not made; each side is a multiple of {STEP} up to {MOST_SIDE}")
        return self

    def pixels(self, usual: tuple[int, int]) -> tuple[int, int]:
        """(width, height) that were asked for, or the usual ones."""
        if self.size is None:
            return usual
        width, _, height = self.size.partition("x")
        return int(width), int(height)


class PickBody(BaseModel):
    """The picture that the client would publish."""

    model_config = ConfigDict(extra="forbid")

    rank: int = Field(ge=1, le=3)


class PlanAnswer(BaseModel):
    """One of the nine plans. why: the guidelines that it fails; empty where it passed. rank: 1 to 3 where it is shown.

    let_go: flexible guidelines that it fails and that were given up because nothing passed.
    """

    number: int
    section: int
    sections: int
    rotation: float
    score: float
    rank: int | None
    passed: bool
    why: list[str]
    let_go: list[str]
    url: str


class PictureAnswer(BaseModel):
    """A picture, best first. recipe: all that decided it; with the photograph it is made again to the last bit."""

    rank: int
    score: float
    png: str
    jpg: str
    sha256: str
    recipe: str
    recipe_sha256: str


class AdAnswer(BaseModel):
    """A request for an ad. code and error: of a refusal or a failure. model: the ranker's version."""

    request_id: str
    state: State
    stage: str
    stages: list[str]
    attempts: int
    model: str
    code: str
    error: str
    after: str | None
    comments: list[str]
    subject: str
    theme: str
    caption: str
    made_by: dict[str, str]
    reasons: list[str]
    changed: list[str]
    seconds: dict[str, float]
    plans: list[PlanAnswer]
    pictures: list[PictureAnswer]
    picked: int | None
    created_at: float
    ended_at: float | None


class ReadAttribute(BaseModel):
    """What the model sees. value: the most likely one, also where it abstains. confidence: 0 to 1."""

    name: str
    value: str
    confidence: float
    abstained: bool


class AttributesAnswer(BaseModel):
    """Attributes of a photograph, by one version."""

    model: str
    digest: str
    attributes: list[ReadAttribute]


class DescriptionAnswer(AttributesAnswer):
    """A description that keeps to the attributes. checks: what it was held to, and drafts that were refused."""

    text: str
    writer: str
    attempt: int
    checks: dict[str, Any]


class Health(BaseModel):
    status: Literal["ok"]


class Readiness(BaseModel):
    """models: role to version. troubles: role to why its champion could not be had. workers: alive."""

    ready: bool
    workers: int
    products: int
    jobs: dict[str, int]
    models: dict[str, str]
    troubles: dict[str, str]


class Choices(BaseModel):
    """What the studio offers."""

    client: str
    products: int
    themes: list[str]
    brands: list[str]
    sizes: list[str]


def ad_answer(job: Job) -> dict[str, Any]:
    """The answer of a job, as plain data of an `AdAnswer`."""
    outcome, order = job.outcome, job.order
    at = f"/ads/{job.request_id}"
    return {
        "request_id": job.request_id,
        "state": job.state,
        "stage": job.stage,
        "stages": list(STAGES),
        "attempts": job.attempts,
        "model": model_of(order),
        "code": outcome.get("code", ""),
        "error": outcome.get("sentence", ""),
        "after": order.get("after"),
        "comments": list(order["comments"]),
        **{name: outcome.get(name, "") for name in ("subject", "theme", "caption")},
        **{name: outcome.get(name, {}) for name in ("made_by", "seconds")},
        **{name: outcome.get(name, []) for name in ("reasons", "changed")},
        "plans": [{**plan, "url": f"{at}/plans/{plan['number']}.jpg"} for plan in outcome.get("plans", [])],
        "pictures": [_picture(at, picture) for picture in outcome.get("pictures", [])],
        "picked": job.picked,
        "created_at": job.created_at,
        "ended_at": job.ended_at,
    }


def model_of(order: Mapping[str, Any]) -> str:
    """The one version that is stamped on everything of a request for an ad."""
    return str(order["models"].get("ranker", "untrained"))


def _picture(at: str, picture: Mapping[str, Any]) -> dict[str, Any]:
    file = f"{at}/{picture['rank']}"
    named = {"png": f"{file}.png", "jpg": f"{file}.jpg", "recipe": f"{file}.json"}
    return {name: picture[name] for name in ("rank", "score", "sha256", "recipe_sha256")} | named
