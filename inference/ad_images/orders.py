"""Orders: which products of a drop get ads, in which themes, as requests that can be kept and sent to a worker process.

Belongs here: choosing products, what a request is made of, its input hash. Not here: making the pictures (pipeline.py),
many at once (batch.py).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from catalog.errors import SelvedgeError
from catalog.files import json_sha256
from catalog.stores import stored_bytes
from catalog.values import is_missing
from inference.ad_images.refusal import AdRefused, RefusalCode
from inference.ad_images.request import AdRequest, ListedProduct, OnModel
from inference.ad_images.themes import theme_names

FORMAT = 1


@dataclass(frozen=True)
class AdOrder:
    """One product in one theme.

    Attributes:
        photo_uri, photo_sha256: the picture file, read where the pictures are made.
        theme: None lets the brief choose.
        model_version: whose attributes the product carries; "" where none were asked.
        input_hash: changes when anything changes that the pictures depend on.
    """

    drop: str
    product: ListedProduct
    photo_uri: str
    photo_sha256: str
    theme: str | None
    size: tuple[int, int]
    seed: int
    model_version: str
    input_hash: str
    on_model: OnModel = OnModel.REFUSE

    @property
    def request_id(self) -> str:
        return f"{self.product.product_id}-{self.theme or 'fitting'}"

    def request(self) -> AdRequest:
        """The request, with the photograph as it stands now.

        Raises:
            AdRefused: PHOTO_UNREADABLE: the file is gone, or is not the one that was catalogued.
        """
        import hashlib

        try:
            photo = stored_bytes(self.photo_uri)
        except OSError as error:
            raise AdRefused(
                RefusalCode.PHOTO_UNREADABLE,
                f"the picture of product {self.product.product_id} cannot be read ({type(error).__name__}: "
                f"{self.photo_uri}); read its drop again.",
            ) from error
        if hashlib.sha256(photo).hexdigest() != self.photo_sha256:
            raise AdRefused(
                RefusalCode.PHOTO_UNREADABLE,
                f"the picture of product {self.product.product_id} is not the one that was catalogued "
                f"({self.photo_uri}); read its drop again.",
            )
        return AdRequest(
            self.request_id,
            photo,
            self.product,
            theme=self.theme,
            size=self.size,
            seed=self.seed,
            on_model=self.on_model,
        )


def themes_named(names: str | None) -> tuple[str | None, ...]:
    """Themes of a setting, comma by comma; (None,) where the brief is to choose.

    Raises:
        SelvedgeError: there is no such theme.
    """
    if names is None:
        return (None,)
    themes = tuple(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    unknown = next((name for name in themes if name not in theme_names()), None)
    if unknown is not None or not themes:
        raise SelvedgeError(f"there is no theme {unknown!r:.40} of ads; choose from {', '.join(theme_names())}.")
    return themes


def orders_of(
    products: pd.DataFrame,
    images: pd.DataFrame,
    attributes: pd.DataFrame,
    *,
    themes: Sequence[str | None] = (None,),
    most: int | None = None,
    size: tuple[int, int] = (512, 512),
    seed: int = 0,
    on_model: OnModel = OnModel.REFUSE,
    stamps: Mapping[str, str],
) -> list[AdOrder]:
    """The orders of one drop.

    Args:
        products, images, attributes: tables of those names.
        themes: one order each a product. most: products, taken in turn from every article type; None takes all.
        seed: the product's id is added to it.
        on_model: what happens to a photograph in which a person wears the product.
        stamps: name → version of everything else that the pictures depend on (backdrop, brand, code).
    """
    standing = images.set_index("product_id")[["uri", "sha256"]].to_dict("index")
    answers = _answers(attributes)
    rows = products[products["product_id"].isin(standing)]
    if most is not None:
        turn = rows.groupby("article_type").cumcount()
        rows = rows.assign(turn=turn).sort_values(["turn", "product_id"], kind="stable").head(most)
    made = []
    for row in rows.to_dict("records"):
        product_id = int(row["product_id"])
        values, model = answers.get(product_id, ({}, ""))
        product = ListedProduct(product_id, **_listed(row), attributes=values)
        photo = standing[product_id]
        own_seed = seed + product_id  # or all products of a drop would stand in the same scene
        for theme in themes:
            content = [FORMAT, product_id, _listed(row), sorted(values.items()), photo["sha256"], theme, size, own_seed]
            content += [on_model] if on_model is not OnModel.REFUSE else []  # as in orders of before this was asked
            made.append(
                AdOrder(
                    drop=str(row["drop"]),
                    product=product,
                    photo_uri=str(photo["uri"]),
                    photo_sha256=str(photo["sha256"]),
                    theme=theme,
                    size=size,
                    seed=own_seed,
                    model_version=model,
                    input_hash=json_sha256([*content, sorted(stamps.items())], sort_keys=False, ensure_ascii=False),
                    on_model=on_model,
                )
            )
    return made


def _listed(row: Mapping[str, object]) -> dict[str, str]:
    columns = {
        "title": "product_display_name",
        "article_type": "article_type",
        "master_category": "master_category",
        "gender": "gender",
        "colour": "base_colour",
        "season": "season",
        "usage": "usage",
        "brand": "brand",
    }
    return {field: _text(row.get(column)) for field, column in columns.items()}


def _text(value: object) -> str:
    return "" if value is None or value != value or is_missing(str(value)) else str(value)


def _answers(attributes: pd.DataFrame) -> dict[int, tuple[dict[str, str], str]]:
    """What the champion is sure of, by product, and which version it is."""
    answers: dict[int, tuple[dict[str, str], str]] = {}
    rows: Iterable[Mapping[str, object]] = attributes.to_dict("records")
    for row in rows:
        if not row["abstained"]:
            model = f"{row['model_uri']}@{str(row['model_digest'])[:12]}"
            values, _ = answers.setdefault(int(str(row["product_id"])), ({}, model))
            values[str(row["attribute"])] = str(row["value"])
    return answers
