"""Labels: what the catalogue says about a product, which is not always what the picture shows.

Belongs here: planting label noise, and the product's JSON with its sparse attributes and HTML descriptors. Not here:
the truth (spec.py), writing files (catalogue.py).

The noise is the labels' alone: display names and descriptors are written by people who saw the garment, so they keep
the truth, and the truth tables hold it whole.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from catalog.drawn import vocabulary
from catalog.drawn.colours import COLOURS
from catalog.drawn.naming import singular
from catalog.drawn.spec import GarmentSpec, choose

_DROPPED, _NOT_AVAILABLE = 0.1, 0.04  # shares of attributes missing from the JSON, and given as "NA"
_SILENT_KEYS = ("Brand Fit Name", "Surface Styling", "Lining", "taxMaterial", "Hemline")
_CARE = {
    "Leather": "Wipe with a soft dry cloth", "Patent Leather": "Wipe with a damp cloth", "Suede": "Brush gently",
    "Wool": "Hand wash cold, dry flat", "Satin": "Dry clean", "Linen": "Machine wash cold, warm iron",
}  # fmt: skip


@dataclass(frozen=True)
class Labels:
    """The catalogue's own word on a product: colour and attributes, perhaps wrong."""

    base_colour: str
    attributes: dict[str, str]


def labels_of(spec: GarmentSpec, noise: float) -> Labels:
    """The labels of a product; each of colour and attributes is wrong with probability `noise`, independently."""
    rng = spec.rng("noise")
    colour = spec.base_colour
    if rng.random() < noise:
        near = {
            name: 1 / (1 + float(np.linalg.norm(np.subtract(other.lab, spec.base_lab))) / 12)
            for name, other in COLOURS.items()
            if name != colour
        }
        colour = choose(near, rng)
    attributes = {}
    for attribute, value in spec.attributes.items():
        others = [v for v in vocabulary.ATTRIBUTES[attribute][spec.article_type] if v != value]
        wrong = rng.random() < noise
        attributes[attribute] = others[int(rng.integers(len(others)))] if wrong and others else value
    return Labels(colour, attributes)


def product_json(spec: GarmentSpec, labels: Labels) -> dict[str, Any]:
    """The content of styles/<id>.json, in the structure of the public catalogue."""
    rng = spec.rng("json")
    article_attributes: dict[str, str] = {}
    for attribute, value in labels.attributes.items():
        mark = float(rng.random())
        if mark >= _DROPPED:
            article_attributes[attribute] = "NA" if mark < _DROPPED + _NOT_AVAILABLE else value
    for key in _SILENT_KEYS:
        if rng.random() < 0.4:
            article_attributes[key] = "NA"
    article_attributes["Body or Garment Size"] = "Garment Measurements in"
    category = vocabulary.ARTICLES[spec.article_type]
    discount = int(rng.choice([0, 0, 0, 10, 20, 30]))
    data = {
        "id": spec.product_id,
        "price": spec.price,
        "discountedPrice": spec.price * (100 - discount) // 100,
        "styleType": "P",
        "productTypeId": 289,
        "articleNumber": f"{spec.brand[:2].upper()}{spec.product_id % 100000:05d}",
        "visualTag": "",
        "productDisplayName": spec.display_name,
        "variantName": spec.variant,
        "myntraRating": 1,
        "catalogAddDate": 1300000000 + spec.product_id % 1000 * 86400,
        "brandName": spec.brand,
        "ageGroup": f"Kids-{spec.gender}" if spec.gender in ("Boys", "Girls") else f"Adults-{spec.gender}",
        "gender": spec.gender,
        "baseColour": labels.base_colour,
        "colour1": "NA",
        "colour2": "NA",
        "fashionType": "Fashion",
        "season": spec.season,
        "year": str(spec.year),
        "usage": spec.usage,
        "vat": 5.5,
        "displayCategories": f"{spec.usage} Wear,Sale",
        "weight": "0",
        "navigationId": 0,
        "landingPageUrl": f"{spec.article_type}/{spec.brand}/{spec.product_id}/buy".replace(" ", "-"),
        "articleAttributes": article_attributes,
        "crossLinks": [{"key": f"More {spec.article_type} by {spec.brand}", "value": spec.article_type.lower()}],
        "brandUserProfile": {},
        "codEnabled": True,
        "styleImages": {"default": _image(spec.product_id), "search": _image(spec.product_id)},
        "lookGoodAlbum": {},
        "style360Images": {},
        "masterCategory": {"id": 1, "typeName": category.master_category, "active": True},
        "subCategory": {"id": 2, "typeName": category.sub_category, "active": True},
        "articleType": {"id": 3, "typeName": spec.article_type, "active": True},
        "isEMIEnabled": False,
        "otherFlags": [{"dataType": "BOOLEAN", "name": "isFragile", "value": "false"}],
        "articleDisplayAttr": {"id": 3, "core": {}, "pdp": {}},
        "productDescriptors": _descriptors(spec, rng),
        "styleOptions": [{"id": spec.product_id * 10, "name": "Size", "value": "M", "available": True}],
    }
    return {
        "notification": {},
        "meta": {"code": 200, "requestId": f"{spec.seed:x}-{spec.product_id:x}"},
        "data": data,
    }


def _image(product_id: int) -> dict[str, Any]:
    return {"imageURL": f"images/{product_id}.jpg", "resolutions": {}, "imageType": "default"}


def _descriptors(spec: GarmentSpec, rng: np.random.Generator) -> dict[str, Any]:
    """HTML written by people: some of the facts, in sentences and in a list."""
    facts = [f"{name}: {value}" for name, value in spec.attributes.items() if rng.random() < 0.75]
    rows = "".join(f"<li>{fact}</li>" for fact in facts)
    pattern = spec.attributes.get("Pattern", "")
    words = f"{spec.base_colour.lower()} {pattern.lower()} {singular(spec.article_type).lower()}".replace("  ", " ")
    opening = f"<p><strong>Composition</strong><br />{spec.base_colour} {singular(spec.article_type).lower()}"
    descriptors = {"description": f"{opening} for {spec.gender.lower()}</p><ul>{rows}</ul>"}
    if rng.random() < 0.6:
        descriptors["style_note"] = (
            f"<p>This {words} from <em>{spec.brand}</em> is made for {spec.season.lower()}&nbsp;days.</p>"
        )
    if rng.random() < 0.6:
        fit = spec.attributes.get("Fit")
        descriptors["size_fit_desc"] = f"<p>{fit}<br>The model wears size M</p>" if fit else "<p>True to size</p>"
    fabric = spec.attributes.get("Fabric", "Cotton")
    descriptors["materials_care_desc"] = f"<p>{fabric}<br />{_CARE.get(fabric, 'Machine wash cold')}</p>"
    return {name: {"descriptorType": name, "value": value} for name, value in descriptors.items()}
