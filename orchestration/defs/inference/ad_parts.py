"""What makes ads, as the settings say: backdrop, brand, guardrails, library, store.

Belongs here: from settings to the parts, and the versions of those that decide. Not here: the parts
(inference/ad_images/), models that may be asked (ad_models.py), the asset (ad_images.py).

Worker processes build their own, from the few values that are sent to them; keys and tokens come from the environment,
as AWS tools take them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.errors import SelvedgeError
from catalog.workers import Progress
from orchestration.defs.inference import ad_models
from orchestration.runtime.addresses import BEDROCK, DYNAMODB, NOBODY
from orchestration.runtime.settings import Settings

if TYPE_CHECKING:
    from inference.ad_images.batch import AdMaker
    from inference.ad_images.guardrails.guardrail import Guardrail
    from inference.ad_images.media.index import IndexUpdate
    from inference.ad_images.media.library import Library
    from inference.ad_images.media.retrieval import Retriever
    from inference.ad_images.pipeline import AdPipeline
    from inference.ad_images.ranking import AdRanker
    from inference.ad_images.request import AdRequest
    from inference.ad_images.scene import Backdrop


@dataclass(frozen=True)
class AdParts:
    """The settings that decide what an ad looks like, and where it is kept.

    Attributes:
        rows: a database's URI, maybe with its password. ranker: folder of a trained one. segmenting: folder of the
            segmenters' champion, where it cuts out. champion: of the attributes', where it judges.
        brands: of the catalogue; only the product's own may be named.
    """

    backdrop: str
    weights: Path | None
    library: str | None
    brand: str
    guardrails: str
    guardrail: str | None
    region: str
    root: str
    rows: str = field(repr=False)
    index: str
    ranker: Path | None = None
    segmenter: str = NOBODY
    segmenting: Path | None = None
    words: str = "rules"
    sizes: str = "rules"
    judge: str = "none"
    model: str | None = None
    champion: Path | None = None
    brands: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        settings: Settings,
        *,
        backdrop: str | None = None,
        brand: str | None = None,
        segmenter: str | None = None,
        ranker: Path | None = None,
        segmenting: Path | None = None,
        champion: Path | None = None,
    ) -> "AdParts":
        """As the settings say. backdrop, brand, segmenter: in place of theirs. The others: folders, or None."""
        return cls(
            backdrop=backdrop or settings.ad_backdrop,
            weights=settings.ad_weights,
            library=settings.ad_library,
            brand=brand or settings.ad_brand,
            guardrails=settings.ad_guardrails,
            guardrail=settings.ad_guardrail,
            region=settings.bedrock_region,
            root=str(settings.objects() / "ads"),
            rows=settings.ad_rows_uri,
            index=str(settings.root / "index" / "media"),
            ranker=ranker,
            segmenter=segmenter or settings.ad_segmenter,
            segmenting=segmenting,
            words=settings.ad_words,
            sizes=settings.ad_sizes,
            judge=settings.ad_judge,
            model=settings.ad_model or settings.bedrock_model,
            champion=champion,
        )

    @property
    def hosted(self) -> tuple[str, ...]:
        """Ids of the models on Bedrock that are asked, each once."""
        from inference.ad_images.backdrops.bedrock import INPAINT
        from inference.ad_images.cutouts.bedrock import MODEL_ID

        uses = [name for name in ("words", "sizes", "judge") if getattr(self, name) == BEDROCK]
        asked = [INPAINT] if self.backdrop == BEDROCK else []
        asked += [MODEL_ID] if self.segmenter == BEDROCK else []
        return tuple(dict.fromkeys([*asked, *(ad_models.hosted_model(use, self.model) for use in uses)]))


@lru_cache(maxsize=1)
def ad_maker(parts: AdParts) -> "AdMaker":
    """Everything that an order needs, once a process.

    Raises:
        SelvedgeError: a setting that a part needs is missing, or weights, packages or a library are.
    """
    from inference.ad_images.batch import AdMaker
    from inference.ad_images.store import AdStore

    return AdMaker(ad_pipeline(parts), AdStore(parts.root, ad_models.rows(parts.rows, parts.region)), stamps(parts))


def ad_pipeline(parts: AdParts) -> "AdPipeline":
    """Raises SelvedgeError: as `ad_maker`."""
    from inference.ad_images.pipeline import AdPipeline
    from inference.ad_images.quality.brand import read_brand

    decomposer, writer = ad_models.words(parts.words, parts.region, parts.model)
    return AdPipeline(
        _backdrop(parts),
        read_brand(parts.brand),
        partial(_guardrail, parts),
        ranker=_ranker(parts),
        segmenters=ad_models.segmenters(parts.segmenter, parts.region, parts.segmenting),
        retriever=_retriever(parts),
        decomposer=decomposer,
        caption_writer=writer,
        sizes=ad_models.sizes(parts.sizes, parts.region, parts.model),
        ask=ad_models.judge(parts.judge, parts.region, parts.model, parts.champion),
    )


def stamps(parts: AdParts) -> dict[str, str]:
    """Name → version of what decides a picture besides its request.

    Raises:
        SelvedgeError: as `ad_maker`.
    """
    from catalog.files import json_sha256
    from inference.ad_images.quality.brand import read_brand

    backdrop, ranker = _backdrop(parts), _ranker(parts)
    return {
        **({"ranker": ranker.digest} if ranker.trained else {}),
        "backdrop": f"{backdrop.name} {backdrop.version}",
        "brand": json_sha256(repr(read_brand(parts.brand))),
        "guardrails": f"{parts.guardrails} {parts.guardrail or ''}".strip(),
        "library": _library_digest(parts),
        **_models_asked(parts),
    }


def _library_digest(parts: AdParts) -> str:
    """Of what the index holds, where photographs are backgrounds; a library that only moved keeps it."""
    retriever = _retriever(parts)
    return "" if retriever is None else retriever.index.content


def _models_asked(parts: AdParts) -> dict[str, str]:
    """Name → version of models that are asked; nothing where rules do all, as in homes that were made before them."""
    (segmenter,) = ad_models.segmenters(parts.segmenter, parts.region, parts.segmenting) or (None,)
    judge = ad_models.judge(parts.judge, parts.region, parts.model, parts.champion)
    asked = {
        "segmenter": f"{segmenter.name} {segmenter.version}" if segmenter else "",
        "words": parts.model if parts.words == BEDROCK else "",
        "sizes": parts.model if parts.sizes == BEDROCK else "",
        "judge": getattr(judge, "model_version", ""),
    }
    return {name: version for name, version in asked.items() if version}


def require_named(parts: AdParts) -> Iterator[str]:
    """What the settings name and is not there, a sentence each. No weights are read, and no database is made."""
    from inference.ad_images.quality.brand import read_brand

    checks: list[Callable[[], object]] = [
        lambda: read_brand(parts.brand),
        lambda: ad_models.segmenters(parts.segmenter, parts.region),
        lambda: parts.hosted,
    ]
    if parts.rows.startswith(DYNAMODB):
        checks.append(lambda: ad_models.rows(parts.rows, parts.region))
    if parts.backdrop == "diffusers" and parts.weights is None:
        checks.append(lambda: _backdrop(parts))
    for check in checks:
        try:
            check()
        except SelvedgeError as error:
            yield str(error)


def update_media_index(parts: AdParts, sample: Path, progress: Progress) -> "tuple[Library, IndexUpdate]":
    """Bring the index of the media library up to date; without a library of yours, that of a drawn sample.

    Args:
        sample: folder of the sample; drawn where it is not there whole.

    Raises:
        SelvedgeError: the library cannot be read, or states no licences.
    """
    from inference.ad_images.media.index import MediaIndex
    from inference.ad_images.media.library import MANIFEST, read_library
    from inference.ad_images.media.sample import draw_sample_library

    if parts.library is None and not (sample / MANIFEST).exists():
        from inference.ad_images.backdrops.studio.backdrop import Studio

        draw_sample_library(sample, Studio())
    library = read_library(parts.library or sample)
    index = MediaIndex(parts.index)
    return library, index.update(library, lambda done, total: progress(done, total, "indexing the media library"))


def side_for(parts: AdParts, side: int) -> int:
    """Pixels of a side where none were asked for: the settings', or more where the brand takes no smaller picture."""
    from inference.ad_images.pipeline import with_margin
    from inference.ad_images.quality.brand import read_brand

    return max(side, with_margin(read_brand(parts.brand).least_side))


def workers(parts: AdParts, threads: int | None) -> int | None:
    """Worker processes; what fills a device or waits for a service has one."""
    heavy = parts.backdrop not in ("studio", "photographs") or parts.judge != "none" or parts.hosted
    return 1 if heavy else threads


@lru_cache(maxsize=1)  # weights are read once, for the pipeline and for its stamps
def _backdrop(parts: AdParts) -> "Backdrop":
    if parts.backdrop == "studio":
        from inference.ad_images.backdrops.white import White
        from inference.ad_images.quality.brand import read_brand

        if read_brand(parts.brand).asks_for_white:
            return White()
        from inference.ad_images.backdrops.studio.backdrop import Studio

        return Studio()
    if parts.backdrop == "photographs":
        from inference.ad_images.backdrops.photographs import Photographs

        return Photographs()
    if parts.backdrop == "bedrock":
        from inference.ad_images.aws import make_client
        from inference.ad_images.backdrops.bedrock import BedrockInpaint

        return BedrockInpaint(make_client("bedrock-runtime", parts.region))
    if parts.weights is None:
        raise SelvedgeError("the diffusers backdrop needs weights; set SELVEDGE_AD_WEIGHTS to a pipeline's folder.")
    from inference.ad_images.backdrops.diffusion import Diffusion

    return Diffusion(parts.weights)


@lru_cache(maxsize=1)
def _ranker(parts: AdParts) -> "AdRanker":
    """The champion's, or an untrained one, which says that it is. Raises SelvedgeError: its file is damaged."""
    from inference.ad_images.ranking import ranker_of

    return ranker_of(parts.ranker)


def _retriever(parts: AdParts) -> "Retriever | None":
    """Who looks for photographs; nobody, where backgrounds are drawn or generated."""
    if parts.backdrop != "photographs":
        return None
    from inference.ad_images.media.index import MediaIndex
    from inference.ad_images.media.retrieval import Retriever

    return Retriever(MediaIndex(parts.index))


def _guardrail(parts: AdParts, request: "AdRequest") -> "Guardrail":
    """The guardrails of a request, cheap ones first."""
    from inference.ad_images.guardrails.guardrail import Guardrails
    from inference.ad_images.guardrails.local import LocalGuardrail

    product = request.product
    # A title names the brand where no column does; a photograph of nobody's listing may be of any brand of the shop.
    own = parts.brands if product is None else (product.brand, product.title)
    return Guardrails([LocalGuardrail(own, parts.brands), *_services(parts)])


@lru_cache(maxsize=1)
def _services(parts: AdParts) -> "tuple[Guardrail, ...]":
    """The guardrails that a service runs.

    Raises:
        SelvedgeError: a guardrail's name without its version, or no boto3.
    """
    from inference.ad_images.aws import make_client
    from inference.ad_images.guardrails import aws

    services: list[Guardrail] = []
    if parts.guardrails == "comprehend":
        services.append(aws.ComprehendGuardrail(make_client("comprehend", parts.region)))
        services.append(aws.RekognitionGuardrail(make_client("rekognition", parts.region)))
    if parts.guardrails == "bedrock":
        services.append(aws.BedrockChecksGuardrail(make_client("bedrock-runtime", parts.region)))
    if parts.guardrail is not None:
        identifier, _, version = parts.guardrail.partition(":")
        services.append(
            aws.BedrockGuardrail(make_client("bedrock-runtime", parts.region), identifier, version or "DRAFT")
        )
    return tuple(services)
