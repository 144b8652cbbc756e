"""Photographs that are sent: checked before they are decoded, and asked about.

Belongs here: limits, the standard copy, attributes and description of one photograph. Not here: reading a request's
body (bodies.py), batches (batching.py), how a text is written (descriptions/).
"""

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from threading import Lock
from typing import Any

import pandas as pd
from PIL import Image

from catalog.errors import SelvedgeError
from catalog.files import json_sha256
from catalog.pictures import Limits, measure_picture, standard_copy
from catalog.quarantine import Rejection
from catalog.schema import AttributeSchema
from inference.ad_images.cutouts.photograph import refusal_of
from inference.ad_images.refusal import AdRefused, RefusalCode
from inference.descriptions.publish import describe
from inference.descriptions.writer import Writer
from inference.service.batching import AttributeAnswer
from inference.service.champions import Served
from inference.tables import ATTRIBUTES

DROP, NUMBER = "request", 1  # of the one row that a photograph is
DESCRIBED = ("article_type", "gender", "master_category", "brand")


def decoded_copy(content: bytes, limits: Limits) -> Image.Image:
    """A photograph as the attribute model sees every product's: its standard copy, decoded.

    Raises:
        AdRefused: photo_too_large (before decoding), photo_unreadable, photo_too_small, not_a_product (one colour).
    """
    try:
        measure_picture(content, limits)  # decodes to the end
        copy = standard_copy(content, limits)
    except Rejection as rejection:
        raise refusal_of(rejection) from rejection
    except ValueError as error:  # greys without a white (catalog/pixels.py)
        raise AdRefused(RefusalCode.PHOTO_UNREADABLE, f"the photograph cannot be read: {error}.") from error
    picture = Image.open(io.BytesIO(copy.content))
    picture.load()
    return picture


def require_article_type(article_type: str | None, schema: AttributeSchema) -> None:
    """Raises AdRefused: a model was never told of such a product."""
    if article_type is not None and article_type not in schema.article_types:
        near = get_close_matches(article_type, schema.article_types, 1)
        hint = f"perhaps {near[0]}" if near else f"the model knows {', '.join(sorted(schema.article_types)[:8])}, …"
        raise AdRefused(
            RefusalCode.BAD_REQUEST, f"article_type {article_type!r:.60} is unknown; {hint}, or leave it out."
        )


class DescriptionDesk:
    """Writes one description after another.

    Args:
        writer: made when it is first needed; None for the grammar writer alone. It is asked by one request at a time.
    """

    def __init__(self, writer: Callable[[], Writer | None]) -> None:
        self._make, self._made, self._lock = writer, False, Lock()
        self._writer: Writer | None = None

    def description(
        self, photo: bytes, answers: Sequence[AttributeAnswer], served: Served, article_type: str | None, gender: str
    ) -> dict[str, Any]:
        """Text, writer, checks and attempt.

        Args:
            article_type, gender: as the merchant has them; what the photograph shows otherwise is a conflict.

        Raises:
            AdRefused: BAD_REQUEST: nothing can be said faithfully. ServiceUnavailable: the writer does not answer.
        """
        product = dict(zip(DESCRIBED, (article_type or "", gender, "", ""), strict=True))
        products = pd.DataFrame([{"drop": DROP, "product_id": NUMBER, **product}])
        rows = pd.DataFrame(_rows(photo, answers, served), columns=ATTRIBUTES.names)
        with self._lock:
            if not self._made:
                self._writer, self._made = self._make(), True
            try:
                described = describe(products, rows, None, self._writer, served.model.schema)
            except SelvedgeError as error:
                if type(error) is not SelvedgeError:  # a service that does not answer
                    raise
                raise AdRefused(
                    RefusalCode.BAD_REQUEST, f"the photograph cannot be described: {str(error).rstrip('.')}."
                ) from error
        row = described.frame.iloc[0]
        return {
            "text": str(row["text"]),
            "writer": str(row["writer"]),
            "attempt": int(row["attempt"]),
            "checks": json.loads(row["checks"]),
        }


def _rows(photo: bytes, answers: Sequence[AttributeAnswer], served: Served) -> list[dict[str, Any]]:
    sha256 = hashlib.sha256(photo).hexdigest()
    return [
        {
            "drop": DROP,
            "product_id": NUMBER,
            "attribute": answer.name,
            "value": answer.value,
            "confidence": answer.confidence,
            "abstained": answer.abstained,
            "model_uri": served.champion.uri,
            "model_digest": served.model.digest,
            "input_hash": json_sha256([served.model.digest, sha256, answer.name]),
        }
        for answer in answers
    ]
