"""The pipeline: one request through all stages, with its retries, and a comment through those that it concerns.

Belongs here: the order of the stages and what passes between them. Not here: any stage, storing what comes out
(store.py), many requests at once (batch.py).
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from inference.ad_images.adjustments import Adjustment, Stage
from inference.ad_images.backdrops.white import White
from inference.ad_images.brief import article_scene, with_person, write_brief
from inference.ad_images.captions import CaptionWriter, write_caption
from inference.ad_images.comments import LONGEST
from inference.ad_images.compositing import compose
from inference.ad_images.composition import Grid, isolated_plan, place_all, plans_for
from inference.ad_images.cutout import Cutout
from inference.ad_images.cutouts.cut import cut_out
from inference.ad_images.cutouts.people import may_be_worn
from inference.ad_images.cutouts.segmenter import Segmenter
from inference.ad_images.decomposition import Decomposer, Entities, decompose
from inference.ad_images.feedback import next_attempt, nothing_passed, route_comment
from inference.ad_images.finding import Finding
from inference.ad_images.guardrails.guardrail import Guardrail
from inference.ad_images.guardrails.local import check_comment
from inference.ad_images.media.retrieval import Assets, Retriever
from inference.ad_images.plan import Placed, Plan
from inference.ad_images.quality.brand import Brand
from inference.ad_images.quality.control import Judge, judge
from inference.ad_images.ranking import features, top_three, untrained_order
from inference.ad_images.recipes import Recipe
from inference.ad_images.refusal import AdRefused, RefusalCode
from inference.ad_images.relative_sizes import BedrockSizes
from inference.ad_images.request import AdBrief, AdRequest
from inference.ad_images.result import AdResult, Attempt, Judged, NothingPassed
from inference.ad_images.scene import PALETTE_PULL, AdPicture, Backdrop, LibraryPhoto, Scene
from inference.ad_images.shadows import apply, cast, reflection
from inference.ad_images.staging import base_line, light_on, stage
from inference.ad_images.themes import theme, theme_names
from training.ad_ranker.ranker import AdRanker

UNASKED_PERSON = "unasked_person"  # the brands' question, which a person who is kept answers
Entered = Callable[[str], None]
FULL_PULL = 0.95  # of a background that a retry or a comment wants in the brand's colours


@dataclass(frozen=True)
class AdPipeline:
    """The stages that a request goes through.

    Attributes:
        guardrail: of a request, since which brands a prompt may name depends on its product.
        segmenters: asked where the backdrop of a photograph is not plain.
        retriever: of a media library; None draws everything.
        decomposer, caption_writer, sizes: models in place of the rules; None for the rules.
        ask: a vision model for the brand's questions; None leaves them out.
    """

    backdrop: Backdrop
    brand: Brand
    guardrail: Callable[[AdRequest], Guardrail]
    ranker: AdRanker = field(default_factory=AdRanker.untrained)
    segmenters: Sequence[Segmenter] = ()
    retriever: Retriever | None = None
    decomposer: Decomposer | None = None
    caption_writer: CaptionWriter | None = None
    sizes: BedrockSizes | None = None
    ask: Judge | None = None
    grid: Grid = field(default_factory=Grid)

    def make(self, request: AdRequest, entered: Entered | None = None) -> AdResult:
        """Three pictures of a request, or fewer where fewer pass.

        Args:
            entered: called with the name of every stage as it begins; what it raises ends the work.

        Raises:
            AdRefused: a guardrail, the cut-out or quality control refuses; the code says which.
            ServiceUnavailable: a service that a stage needs does not answer.
        """
        clock = _Clock(entered)
        with clock.stage("brief"):
            brief = write_brief(request)
            self.backdrop.check(request.size, brief.theme)
            self._require_size(request)
            self._require_asset(request)
        with clock.stage(Stage.GUARDRAILS):
            self.guardrail(request).check(request.prompt, request.photo)
        with clock.stage(Stage.CUTOUT):
            cutout = self._cut(request)
        if cutout.person:
            brief = with_person(brief)
        return self._worked(brief, cutout, Adjustment(), clock)

    def rework(self, result: AdResult, comment: str, entered: Entered | None = None) -> AdResult:
        """The request again as a reviewer's comment asks, through the stages that it concerns.

        Args:
            entered: as for `make`.

        Raises:
            AdRefused: as `make`; BAD_REQUEST where no rule understands the comment.
        """
        clock = _Clock(entered)
        with clock.stage(Stage.GUARDRAILS):
            check_comment(comment[:LONGEST])  # which is what is read
        change, request = route_comment(comment, theme_names()), result.brief.request
        if not change.stages:
            raise AdRefused(RefusalCode.BAD_REQUEST, f"the comment changes nothing: {change.sentence}.")
        if Stage.GUARDRAILS in change.stages and change.words:
            with clock.stage(Stage.GUARDRAILS):
                self.guardrail(request).check(", ".join(change.words), request.photo)
        cutout = result.cutout
        if Stage.CUTOUT in change.stages:
            with clock.stage(Stage.CUTOUT):
                cutout = self._cut(request)
        return self._worked(result.brief, cutout, change, clock)

    def remake(self, recipe: Recipe, photo: bytes) -> AdPicture:
        """The picture of a recipe, the same to the last bit.

        Raises:
            SelvedgeError: another photograph, another version of what painted it, or of what cut it out.
        """
        brief = recipe.brief_with(photo)
        cutout = self._cut(brief.request)
        recipe.require_cutout(cutout)
        placed = place_all(cutout, [recipe.plan], brief.request.size)[0]
        (background,) = self.backdrop.paint([recipe.scene], [placed])
        picture = self._composed(background, placed, recipe.scene)
        recipe.require_same(picture.pixels, self.backdrop.version)
        return picture

    def _require_size(self, request: AdRequest) -> None:
        """Raises AdRefused: the brand takes no picture of this size, whatever is on it."""
        if max(request.size) < self.brand.least_side:
            width, height = request.size
            raise AdRefused(
                RefusalCode.BAD_SIZE,
                f"pictures of {self.brand.name} are at least {self.brand.least_side:,} pixels long, not {width} x "
                f"{height}; ask for {with_margin(self.brand.least_side)}.",
            )

    def _require_asset(self, request: AdRequest) -> None:
        """Raises AdRefused: the request names a library's picture that is not there, or may not be used."""
        if request.asset is None:
            return
        if self.retriever is None:
            raise AdRefused(
                RefusalCode.NO_ASSET,
                f"the request names the picture {request.asset:.80}, and {self.backdrop.name} backgrounds use none; "
                "choose the photographs backdrop.",
            )
        self.retriever.require(request.asset)

    def _cut(self, request: AdRequest) -> Cutout:
        product = request.product
        return cut_out(
            request.photo,
            article_type=product.article_type if product else None,
            apparel=may_be_worn(product),
            on_model=request.on_model,
            segmenters=self.segmenters,
        )

    def _worked(self, brief: AdBrief, cutout: Cutout, change: Adjustment, clock: "_Clock") -> AdResult:
        work = self._prepared(brief, cutout, change, clock)
        attempts = [Attempt(self._attempted(work, change, clock), change.sentence if change.stages else "")]
        relaxed: tuple[str, ...] = ()
        while not attempts[-1].passed:
            step = next_attempt(_findings(attempts[-1]), len(attempts) - 1, self.brand.relaxing)
            if step is None:
                raise NothingPassed(nothing_passed(_findings(attempts[-1])), attempts[-1])
            if step.relaxed:
                relaxed = step.relaxed
                attempts[-1] = replace(
                    attempts[-1], judged=[replace(each, relaxed=relaxed) for each in attempts[-1].judged]
                )
                break
            change = change.then(step)
            work = self._changed(work, step, change, clock)
            attempts.append(Attempt(self._attempted(work, change, clock), step.sentence))
        judged = attempts[-1].judged
        with clock.stage(Stage.RANKING):
            top = top_three([each.picture for each in judged], _findings(attempts[-1]), self.ranker, relaxed)
        reasons = [*([self.ranker.note] if not self.ranker.trained else []), *work.reasons]
        if relaxed:
            reasons.append(f"nothing passed as asked; let go: {', '.join(relaxed)}")
        if change.unknown:
            reasons.append(change.sentence)
        asset = f"{work.photo.name} ({work.photo.licence})" if work.photo else ""
        return AdResult(work.brief, cutout, work.caption, attempts, top, asset, reasons, clock.seconds)

    def _prepared(self, brief: AdBrief, cutout: Cutout, change: Adjustment, clock: "_Clock") -> "_Work":
        """What all plans share: entities, assets, caption, light."""
        brief = _rethemed(brief, change)
        told = len(self._fallbacks)
        with clock.stage(Stage.DECOMPOSITION):
            entities = decompose(brief.request.prompt, brief, self.decomposer)
        with clock.stage(Stage.RETRIEVAL):
            assets, brief = self._retrieved(entities, brief)
        photo = assets.background(brief) if assets else None
        with clock.stage(Stage.CAPTION):
            caption = write_caption(
                brief, entities, theme(brief.theme), assets, change.words, change.without, self.caption_writer
            )
        share = None
        if self._isolates:
            caption = f"{brief.subject} on pure white, centred, even light, catalogue photograph"
        elif self.sizes is not None:
            with clock.stage(Stage.COMPOSITION):
                share = self.sizes.share(brief, cutout, caption)
        instead = [f"the rules took a model's place: {why.rstrip('.')}" for why in self._fallbacks[told:]]
        return _Work(brief, cutout, caption, photo, share, (*(assets.reasons if assets else ()), *instead))

    def _retrieved(self, entities: Entities, brief: AdBrief) -> tuple[Assets | None, AdBrief]:
        """What the library has; where nobody asked for a theme, of the product's next one that has a photograph."""
        if self.retriever is None:
            return None, brief
        assets = self.retriever.retrieve(entities, brief)
        if assets.photo is None and brief.request.theme is None and not (entities.background or entities.themes):
            why = f"the library has no photograph for '{brief.theme}'"
            for name in _other_themes(brief):
                other = replace(brief, theme=name, inferred={**brief.inferred, "theme": why})
                if (its := self.retriever.retrieve(entities, other)).photo is not None:
                    return its, other
        return assets, brief

    @property
    def _fallbacks(self) -> list[str]:
        """Why rules answered in place of a model, so far."""
        models = (self.decomposer, self.caption_writer, self.sizes)
        return [why for model in models if model is not None for why in model.fallbacks]

    def _changed(self, work: "_Work", step: Adjustment, change: Adjustment, clock: "_Clock") -> "_Work":
        """What all plans share after one more step of all changes."""
        if not {Stage.CAPTION, Stage.RETRIEVAL} & set(step.stages):
            return work
        return self._prepared(work.brief, work.cutout, step.then(replace(change, next_theme=False)), clock)

    def _attempted(self, work: "_Work", change: Adjustment, clock: "_Clock") -> list[Judged]:
        brief, cutout = work.brief, work.cutout
        with clock.stage(Stage.COMPOSITION):
            plans = self._plans(work, change)
            placed = place_all(cutout, plans, brief.request.size)
        plans = [each.plan for each in placed]
        with clock.stage(Stage.BACKGROUND):
            scenes = self._staged(work, plans, change)
            backgrounds = self.backdrop.paint(scenes, placed)
        with clock.stage(Stage.COMPOSITING):
            pictures = [
                self._composed(background, each, scene)
                for background, each, scene in zip(backgrounds, placed, scenes, strict=True)
            ]
        with clock.stage(Stage.QUALITY):
            brand = self.brand.without(UNASKED_PERSON) if cutout.person else self.brand
            findings = [judge(picture, brand, self.ask) for picture in pictures]
        with clock.stage(Stage.RANKING):
            scores = [self._score(picture, each) for picture, each in zip(pictures, findings, strict=True)]
        return [Judged(picture, each, score) for picture, each, score in zip(pictures, findings, scores, strict=True)]

    @property
    def _isolates(self) -> bool:
        """Whether the product stands alone on white, as in a main image."""
        return isinstance(self.backdrop, White)

    def _plans(self, work: "_Work", change: Adjustment) -> list[Plan]:
        moved = replace(change, scale=1.0)
        if self._isolates:
            plan = isolated_plan(work.brief, work.cutout, change.scale)
            return [replace(moved.placed(plan), scale=plan.scale)]
        plans = plans_for(
            work.brief,
            work.cutout,
            grid=self.grid,
            scale_factor=change.scale,
            base_y=base_line(work.brief),
            relative_size=lambda brief, cutout: work.share,
        )
        return [moved.placed(plan) for plan in plans]

    def _staged(self, work: "_Work", plans: Sequence[Plan], change: Adjustment) -> list[Scene]:
        light = change.lit(light_on(work.cutout, work.brief.theme))
        strength = 1.0 if change.strength is None else change.strength
        return stage(
            work.brief,
            plans,
            work.caption,
            light,
            palette=self.brand.palette,
            photo=work.photo,
            strength=strength,
            palette_pull=FULL_PULL if change.palette else PALETTE_PULL,
        )

    def _composed(self, background: np.ndarray, placed: Placed, scene: Scene) -> AdPicture:
        if self.backdrop.paints_shadows:
            return compose(background, background, placed, scene, None)
        if self._isolates:
            return compose(background, background, placed, scene, np.zeros(placed.alpha.shape, np.float32))
        shadow = cast(placed, scene)
        mirrored = reflection(placed, scene, theme(scene.theme).reflectance)
        return compose(background, apply(background, shadow, mirrored, scene.light), placed, scene, shadow)

    def _score(self, picture: AdPicture, findings: Sequence[Finding]) -> float:
        if self.ranker.trained:
            return float(self.ranker.scores(features(picture, findings))[0])
        return -float(untrained_order(picture, findings)[0])


@dataclass(frozen=True)
class _Work:
    """What all plans of an attempt share. share: relative size that a model said; None where the rules say it."""

    brief: AdBrief
    cutout: Cutout
    caption: str
    photo: LibraryPhoto | None
    share: float | None
    reasons: tuple[str, ...]


class _Clock:
    """Wall seconds by stage, over all attempts."""

    def __init__(self, entered: Entered | None) -> None:
        self.seconds: dict[str, float] = {}
        self._entered = entered

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        if self._entered is not None:
            self._entered(str(name))
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[str(name)] = self.seconds.get(str(name), 0.0) + time.perf_counter() - began


def with_margin(side: int) -> int:
    """The next size that every backdrop paints."""
    return -(-side // 64) * 64


def _findings(attempt: Attempt) -> list[Sequence[Finding]]:
    return [judged.findings for judged in attempt.judged]


def _rethemed(brief: AdBrief, change: Adjustment) -> AdBrief:
    """The brief in another theme, where the change asks for one; a theme that the request names is kept."""
    if change.theme is not None:
        return replace(brief, theme=change.theme, inferred={**brief.inferred, "theme": "a comment asked for it"})
    if not change.next_theme or brief.request.theme is not None:
        return brief
    others = _other_themes(brief)
    if not others:
        return brief
    return replace(brief, theme=others[0], inferred={**brief.inferred, "theme": "the one before it did not pass"})


def _other_themes(brief: AdBrief) -> list[str]:
    """The product's other themes, the usual one first."""
    prior = article_scene(brief.request)[0].themes
    return sorted((name for name in prior if name != brief.theme), key=lambda name: (-prior[name], name))
