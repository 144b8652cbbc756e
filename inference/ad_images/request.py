"""Requests: what may be asked of the ad pipeline, and what is known of the product.

Belongs here: `AdRequest`, `ListedProduct`, `AdBrief`. Not here: inferring what a request leaves out (brief.py),
refusing (guardrails/).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from inference.ad_images.plan import Support


class OnModel(StrEnum):
    """What happens to a photograph in which a person wears the product."""

    REFUSE = "refuse"
    KEEP = "keep"  # the person stays whole in the cut-out


@dataclass(frozen=True)
class ListedProduct:
    """A product as the catalogue lists it; attributes are the published ones (name → value)."""

    product_id: int
    title: str
    article_type: str
    master_category: str = ""
    gender: str = ""
    colour: str = ""
    season: str = ""
    usage: str = ""
    brand: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class AdRequest:
    """One request. Nothing but the photograph is needed.

    Attributes:
        request_id: names the result; letters, digits, `-` and `_`.
        photo: bytes of an image file, as uploaded or catalogued.
        product: what the catalogue says of it; None for a photograph of nobody's.
        prompt: what the picture should show, in the caller's words.
        theme: a name of themes.yaml.
        size: (width, height) in pixels.
        seed: of everything drawn.
        asset: name of a library photograph to be used as the background, in place of a drawn one.
    """

    request_id: str
    photo: bytes
    product: ListedProduct | None = None
    prompt: str | None = None
    theme: str | None = None
    size: tuple[int, int] = (512, 512)
    seed: int = 0
    on_model: OnModel = OnModel.REFUSE
    asset: str | None = None


@dataclass(frozen=True)
class AdBrief:
    """A request with every field filled.

    Attributes:
        subject: words for the product ("a men's navy blue shirt").
        theme: a name of themes.yaml.
        support: whether the product stands on a floor or lies on a surface that is seen from above.
        height_cm: of the product as it stands or lies, from its size class.
        inferred: names of the fields above that the request did not give, each with its reason.
    """

    request: AdRequest
    subject: str
    theme: str
    support: Support
    height_cm: float
    inferred: Mapping[str, str] = field(default_factory=dict)
