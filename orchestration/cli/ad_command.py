"""`selvedge infer ads`: the ads of one product or photograph, or of a catalogue directory, by hand.

Belongs here: from options to requests, the sheet, the result. Not here: the stages (inference/ad_images/), what the
settings choose (orchestration/defs/inference/ad_parts.py).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from catalog.errors import SelvedgeError
from orchestration.cli.terminal import reporting, say
from orchestration.runtime import addresses

if TYPE_CHECKING:
    from inference.ad_images.media.library import Library
    from inference.ad_images.orders import AdOrder
    from inference.ad_images.request import AdRequest
    from orchestration.defs.inference.ad_parts import AdParts
    from orchestration.runtime.settings import Settings

PUBLISHED = "inference/ad_images"  # what the champion of the rankers is used for
ATTRIBUTES = "inference/attributes"  # what the champion that judges is used for
MASKS = "inference/garment_masks"  # what the champion that cuts out is used for
SHOWN_LEFT_OUT = 3
PHOTOGRAPHS = "photographs"
BACKDROPS = ("studio", PHOTOGRAPHS, "diffusers", "bedrock")
ON_MODEL = ("refuse", "keep")
SHEET_FILE, TABLE_FILE = "sheet.png", "ad_images.parquet"


def _option(text: str, **more: Any) -> Any:
    return typer.Option(help=text, rich_help_panel="Options of ads", **more)


@dataclass(frozen=True)
class AdOptions:
    """What was asked on the command line; None leaves a thing to the settings, or to be inferred."""

    product: Annotated[int | None, _option("One product of the catalogue.")] = None
    photo: Annotated[Path | None, _option("A photograph of yours, without a catalogue.")] = None
    prompt: Annotated[str | None, _option("What the picture shall show.")] = None
    theme: Annotated[str | None, _option("Theme; the one that fits by default.")] = None
    brand: Annotated[str | None, _option("Guidelines: a preset, or a YAML file.")] = None
    backdrop: Annotated[str | None, _option("studio, photographs, diffusers or bedrock.")] = None
    asset: Annotated[str | None, _option("A photograph of the library, as the background.")] = None
    segmenter: Annotated[
        str | None, _option("Who cuts out before a busy backdrop: champion, bedrock, none, or an ONNX file.")
    ] = None
    size: Annotated[str | None, _option("WIDTHxHEIGHT in pixels.")] = None
    seed: Annotated[int, _option("Seed of everything drawn.", min=0)] = 0
    on_model: Annotated[str | None, _option("A person who wears the product: refuse, or keep them whole.")] = None
    comment: Annotated[str | None, _option("What a reviewer would have otherwise.")] = None

    @property
    def of_one(self) -> bool:
        """One product or photograph, whose nine plans are shown on a sheet."""
        return self.product is not None or self.photo is not None

    def require_fitting(self) -> None:
        """Raises SelvedgeError: options that contradict each other."""
        if self.product is not None and self.photo is not None:
            raise SelvedgeError("--product and --photo name two pictures; give one of them.")
        if self.backdrop is not None and self.backdrop not in BACKDROPS:
            raise SelvedgeError(f"--backdrop {self.backdrop:.40} is none; choose from {', '.join(BACKDROPS)}.")
        if self.on_model is not None and self.on_model not in ON_MODEL:
            raise SelvedgeError(f"--on-model {self.on_model:.40} is no policy; choose from {', '.join(ON_MODEL)}.")
        if not self.of_one and (self.prompt, self.comment, self.asset) != (None, None, None):
            raise SelvedgeError("--prompt, --comment and --asset are about one picture; add --product or --photo.")
        if self.asset is not None and self.backdrop not in (None, PHOTOGRAPHS):
            raise SelvedgeError(f"--asset is a photograph of the library; leave --backdrop {self.backdrop} out.")
        if self.segmenter is not None:
            try:
                addresses.segmenter(self.segmenter)
            except ValueError as error:
                raise SelvedgeError(f"--segmenter {self.segmenter:.80}: {error}.") from error

    @property
    def painter(self) -> str | None:
        """The backdrop that was asked for: photographs where one of them is named."""
        return self.backdrop or (PHOTOGRAPHS if self.asset is not None else None)


def infer_ads(catalog: Path | None, out: Path, options: AdOptions, model: str) -> dict[str, Any]:
    """Make them; returns the result's keys.

    Args:
        model: folder of a ranker, or `champion`: this home's, where it has one.

    Raises:
        SelvedgeError: options that do not fit, no such product, or, for one picture, its refusal.
    """
    from orchestration.defs.inference.ad_parts import AdParts, side_for
    from orchestration.families.settings import load_settings

    options.require_fitting()
    settings = load_settings()
    options = replace(options, on_model=options.on_model or settings.ad_on_model)
    folder = out.expanduser().resolve()
    segmenter = addresses.segmenter(options.segmenter or settings.ad_segmenter)
    parts = replace(
        AdParts.of(
            settings,
            backdrop=options.painter,
            brand=options.brand,
            segmenter=segmenter,
            ranker=_champion(settings, PUBLISHED, model),
            segmenting=_champion(settings, MASKS, "champion") if segmenter == addresses.CHAMPION else None,
            champion=_champion(settings, ATTRIBUTES, "champion") if settings.ad_judge == "champion" else None,
        ),
        root=str(folder / "pictures"),
        rows=f"sqlite:///{folder / 'ads.db'}",
        index=str(folder / "media-index"),
        brands=_brands(catalog),
    )
    library = _library(parts, folder) if parts.backdrop == PHOTOGRAPHS else None
    size = _size(options.size) if options.size else (side_for(parts, settings.ad_size),) * 2
    if options.of_one:
        return _one(_request(catalog, out, options, size, parts), folder, parts, options.comment, library)
    if catalog is None:
        raise SelvedgeError("ads are made of a catalogue, a product of it, or a photograph; add --catalog or --photo.")
    return _all(_orders(catalog, out, options, size, parts), folder, parts, settings.threads)


def _library(parts: "AdParts", folder: Path) -> "Library":
    """The media library, with its index brought up to date; what of it is not used is told."""
    from orchestration.defs.inference.ad_parts import update_media_index

    folder.mkdir(parents=True, exist_ok=True)
    library, _ = update_media_index(parts, folder / "media-sample", lambda done, total, what: None)
    for name, why in list(library.left_out.items())[:SHOWN_LEFT_OUT]:
        say(f"{name} of the media library is not used: {why}")
    if len(library.left_out) > SHOWN_LEFT_OUT:
        say(f"and {len(library.left_out) - SHOWN_LEFT_OUT} more files of it")
    return library


def _brands(catalog: Path | None) -> tuple[str, ...]:
    """Brands of a catalogue, of which a prompt may name the product's own; () without a catalogue."""
    from catalog.workspace import open_catalogue

    if catalog is None:
        return ()
    named = open_catalogue(catalog).products["brand"].unique().to_pylist()
    return tuple(sorted(brand for brand in named if brand))


def _champion(settings: "Settings", published: str, model: str) -> Path | None:
    """Folder of a model of an asset's family; None where its champion is asked for and no move of one is recorded.

    A home without a ledger is not given one for the question, and nothing has to run for the answer.
    """
    from orchestration.cli.models import CHAMPION, find_model
    from orchestration.families.registered import publisher_of

    family = publisher_of(published)
    if family is None:
        return None
    if model == CHAMPION:
        from orchestration.registry.ledger import open_ledger

        if settings.ledger_in_home and not Path(settings.ledger_uri.removeprefix("sqlite:///")).exists():
            return None
        if open_ledger(settings).promotions.champion(family.name) is None:
            return None
    return find_model(family.name, model)[0]


def _one(
    request: "AdRequest", folder: Path, parts: "AdParts", comment: str | None, library: "Library | None"
) -> dict[str, Any]:
    """Nothing is written of a request that is refused: whoever typed it reads why."""
    from catalog.files import png_bytes, publish_bytes
    from inference.ad_images.sheets import plan_sheet
    from inference.ad_images.store import recipe_key
    from orchestration.defs.inference.ad_parts import ad_maker, ad_pipeline

    pipeline = ad_pipeline(parts)
    if pipeline.retriever is not None:  # the library itself knows why a picture that is named may not be used
        pipeline = replace(pipeline, retriever=replace(pipeline.retriever, library=library))
    result = pipeline.make(request)
    if comment is not None:
        result = pipeline.rework(result, comment)
    folder.mkdir(parents=True, exist_ok=True)
    maker = ad_maker(parts)
    key = recipe_key(request, {**maker.context, "comment": comment or ""})
    row = maker.store.keep(result, key, pipeline.backdrop, maker.context)
    publish_bytes(png_bytes(plan_sheet(result)), folder / SHEET_FILE)
    for reason in result.reasons:
        say(reason)
    return {
        "path": str(folder / SHEET_FILE),
        "rows": len(row.pictures),
        "recomputed": len(row.pictures),
        "kept": 0,
        "abstained": None,
        "model": f"{pipeline.backdrop.name} {pipeline.backdrop.version}",
        "left_out": 0,
        "pictures": [picture.uri for picture in row.pictures],
        "refusals": [],
    }


def _all(orders: "list[AdOrder]", folder: Path, parts: "AdParts", threads: int | None) -> dict[str, Any]:
    import pandas as pd

    from catalog.tables import write_table
    from inference.ad_images.batch import fulfil_all
    from inference.tables import AD_IMAGES
    from orchestration.defs.inference.ad_parts import ad_maker, workers

    folder.mkdir(parents=True, exist_ok=True)
    backdrop = ad_maker(parts).pipeline.backdrop
    with reporting() as reporter:
        outcomes = list(fulfil_all(orders, partial(ad_maker, parts), reporter.progress, workers(parts, threads)))
    rows = [row for outcome in outcomes for row in outcome.rows]
    write_table(pd.DataFrame(rows, columns=AD_IMAGES.names), folder / TABLE_FILE, "ad_images")
    for reason, count in Counter(reason for outcome in outcomes for reason in outcome.reasons).items():
        say(f"{count} of {len(outcomes)} requests: {reason}")
    refused = [outcome for outcome in outcomes if outcome.code]
    for outcome in refused:
        say(f"product {outcome.order.product.product_id}: {outcome.sentence}")
    return {
        "path": str(folder / TABLE_FILE),
        "rows": len(rows),
        "recomputed": sum(len(outcome.rows) for outcome in outcomes if not outcome.kept),
        "kept": sum(len(outcome.rows) for outcome in outcomes if outcome.kept),
        "abstained": None,
        "model": f"{backdrop.name} {backdrop.version}",
        "left_out": len(refused),
        "pictures": None,
        "refusals": [
            {"product": outcome.order.product.product_id, "code": outcome.code, "why": outcome.sentence}
            for outcome in refused
        ],
    }


def _request(
    catalog: Path | None, out: Path, options: AdOptions, size: tuple[int, int], parts: "AdParts"
) -> "AdRequest":
    from inference.ad_images.request import AdRequest, OnModel

    if options.photo is not None:
        try:
            photo = options.photo.expanduser().read_bytes()
        except OSError as error:
            raise SelvedgeError(
                f"--photo {options.photo} cannot be read ({error.strerror}); name a picture."
            ) from error
        stem = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in options.photo.stem)
        made = AdRequest(f"photo-{stem}"[:100], photo, size=size)
    else:
        if catalog is None:
            raise SelvedgeError("--product is a row of a catalogue; add --catalog.")
        orders = _orders(catalog, out, options, size, parts)
        order = next((order for order in orders if order.product.product_id == options.product), None)
        if order is None:
            raise SelvedgeError(f"{catalog} has no product {options.product}; see its products table for ids.")
        made = order.request()
    policy = OnModel(options.on_model or OnModel.REFUSE)
    return replace(
        made, prompt=options.prompt, theme=options.theme, seed=options.seed, asset=options.asset, on_model=policy
    )


def _orders(catalog: Path, out: Path, options: AdOptions, size: tuple[int, int], parts: "AdParts") -> "list[AdOrder]":
    """Orders of a catalogue directory, with the attributes that were inferred into `out` before, if any."""
    import pandas as pd

    from catalog.workspace import open_catalogue
    from inference.ad_images.orders import orders_of, themes_named
    from inference.ad_images.request import OnModel
    from inference.folders import ATTRIBUTES_FILE, previous_table
    from inference.tables import ATTRIBUTES
    from orchestration.defs.inference.ad_parts import stamps

    opened = open_catalogue(catalog)
    attributes = previous_table(out.expanduser() / ATTRIBUTES_FILE)
    stamped: Mapping[str, str] = {} if options.of_one else stamps(parts)
    return orders_of(
        opened.products.to_pandas(),
        opened.images.to_pandas(),
        pd.DataFrame(columns=ATTRIBUTES.names) if attributes is None else attributes.to_pandas(),
        themes=themes_named(options.theme),
        size=size,
        seed=options.seed,
        on_model=OnModel(options.on_model or OnModel.REFUSE),
        stamps=stamped,
    )


def _size(text: str) -> tuple[int, int]:
    parts = text.lower().split("x")
    if len(parts) not in (1, 2) or not all(part.isascii() and part.isdigit() and len(part) < 6 for part in parts):
        raise SelvedgeError(f"--size {text:.20} is not WIDTHxHEIGHT in pixels; 768x1024 is one.")
    numbers = [int(part) for part in parts]
    return numbers[0], numbers[-1]
