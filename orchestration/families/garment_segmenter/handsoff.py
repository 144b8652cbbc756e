"""labeling/handsoff_*: from a few labelled pictures to a labelled set, one asset a step.

Belongs here: the assets, their previews. Not here: the steps (training/handsoff/), training the generator, which is a
GPU's work of hours and done by `selvedge handsoff train`.

`SELVEDGE_HANDSOFF` names the plan that they follow. Each step's folder is named by what it is made of, so
changed labels or settings begin a new one beside the old, and a step that a kill ended goes on in its own.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from catalog.errors import SelvedgeError
from orchestration.assets.failures import errors_as_sentences
from orchestration.assets.metadata import image, shown, table
from orchestration.assets.reporters import log_and
from orchestration.runtime.settings import Settings

if TYPE_CHECKING:
    from training.handsoff.frozen import FrozenGenerator
    from training.handsoff.labels import LabelledPictures

STAGE = "labeling"
GENERATOR, INVERSIONS, LABELLER = (dg.AssetKey([STAGE, f"handsoff_{name}"]) for name in
                                   ("generator", "inversions", "labeller"))  # fmt: skip
PREVIEWED = 8  # pictures of a preview
SAMPLES = 64
ABOUT = {"key_prefix": STAGE, "group_name": STAGE, "owners": ["team:models"], "code_version": "1"}


@dg.asset(**ABOUT, kinds={"pytorch", "safetensors"})  # type: ignore[call-overload]
@errors_as_sentences
def handsoff_generator(
    context: dg.AssetExecutionContext,  # noqa: ARG001 (errors_as_sentences asks for it)
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult:
    """The frozen generator whose features are labelled: the shipped base, or one that was trained on a catalogue."""
    from training.handsoff.loop import sample_grid

    step = _Step(settings)
    frozen = step.frozen()
    return dg.MaterializeResult(
        metadata={
            "path": str(step.plan.generator_folder),
            "digest": frozen.digest,
            "size": frozen.size,
            "style_blocks": frozen.blocks,
            "samples": shown(sample_grid(frozen, frozen.latents(SAMPLES, 1)), "samples"),
        },
        data_version=dg.DataVersion(frozen.digest),
    )


@dg.asset(**ABOUT, deps=[GENERATOR], kinds={"pytorch", "safetensors"})  # type: ignore[call-overload]
@errors_as_sentences
def handsoff_inversions(
    context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], progress: dg.ResourceParam[Any]
) -> dg.MaterializeResult:
    """For every labelled picture the code from which the generator draws it; those that have none are named."""
    import numpy as np

    from training.handsoff.inversion import invert_pictures
    from training.handsoff.perception import shipped_perception

    step = _Step(settings)
    frozen, labelled = step.frozen(), step.labelled()
    folder = step.folder(frozen, labelled) / "inversions"
    codes = invert_pictures(
        frozen,
        labelled.pictures,
        step.plan.inversion,
        folder,
        log_and(context, progress),
        shipped_perception(frozen.device),
    )
    rows = codes.kept[:PREVIEWED]
    again = step.drawn(frozen, codes.codes[rows])
    return dg.MaterializeResult(
        metadata={
            "path": str(folder),
            "digest": codes.digest,
            "pictures": len(codes.names),
            "inverted": len(codes.kept),
            "error": float(np.median(codes.errors)),
            "reference": float(np.median(codes.reference)),
            "limit": codes.limit,
            "perception": codes.perception,
            "refused": table(["picture"], [[sentence] for sentence in codes.refusals()]),
            "preview": _strips([labelled.pictures.array[rows], again], "labelled pictures and what their codes draw"),
        },
        data_version=dg.DataVersion(codes.digest),
    )


@dg.asset(**ABOUT, deps=[INVERSIONS], kinds={"pytorch", "safetensors"})  # type: ignore[call-overload]
@errors_as_sentences
def handsoff_labeller(
    context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], progress: dg.ResourceParam[Any]
) -> dg.MaterializeResult:
    """The ensemble that reads labels off the generator's features."""
    from catalog.mask_colours import class_colours
    from training.handsoff.inversion import read_inversions
    from training.handsoff.labeller_training import load_trained, train_labeller

    step = _Step(settings)
    frozen, labelled = step.frozen(), step.labelled()
    folder = step.folder(frozen, labelled)
    codes = read_inversions(folder / "inversions")
    result = train_labeller(
        frozen, codes, labelled, step.plan.labeller, folder / "labeller", log_and(context, progress)
    )
    rows = codes.kept[:PREVIEWED]
    labels = load_trained(result, frozen).label(codes.codes[rows])
    return dg.MaterializeResult(
        metadata={
            "path": str(result.artefact),
            "digest": result.digest,
            "pictures": result.pictures,
            "pixels": result.pixels,
            "memory_bytes": result.bytes,
            "of_every_pixel_bytes": result.all_bytes,
            "steps": result.steps,
            "preview": _strips(
                [labelled.pictures.array[rows], class_colours(labelled.masks[rows]), class_colours(labels.masks)],
                "labelled pictures, their masks and the labeller's",
            ),
        },
        data_version=dg.DataVersion(result.digest),
    )


@dg.asset(**ABOUT, deps=[LABELLER], kinds={"png", "json"})  # type: ignore[call-overload]
@errors_as_sentences
def handsoff_dataset(
    context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], progress: dg.ResourceParam[Any]
) -> dg.MaterializeResult:
    """Pictures with labels, the doubtful ones left out, as PNG and COCO files."""
    import numpy as np
    from PIL import Image

    from catalog.mask_colours import class_colours
    from training.handsoff.generation import generate
    from training.handsoff.labeller import load_labeller

    step = _Step(settings)
    frozen, labelled = step.frozen(), step.labelled()
    folder = step.folder(frozen, labelled)
    labeller = load_labeller(folder / "labeller" / "model", frozen)
    made = generate(labeller, step.plan.generation, folder / "set", log_and(context, progress))
    names = sorted(file.name for file in (made.folder / "images").iterdir())[:PREVIEWED]
    pictures = np.stack([np.asarray(Image.open(made.folder / "images" / name)) for name in names])
    strips = [pictures]
    if labelled.kinds.classes:
        strips.append(class_colours(np.stack([np.asarray(Image.open(made.folder / "masks" / name)) for name in names])))
    return dg.MaterializeResult(
        metadata={
            "path": str(made.folder),
            "digest": made.digest,
            "sampled": made.sampled,
            "kept": made.kept,
            "bound": made.bound,
            "shares": table(["class", "share of pixels"], [[n, f"{share:.3f}"] for n, share in made.shares.items()]),
            "preview": _strips(strips, "pictures and their masks"),
        },
        data_version=dg.DataVersion(made.digest),
    )


class _Step:
    """What every step reads: the plan, its generator, its labels, and where its results lie."""

    def __init__(self, settings: Settings) -> None:
        from training.handsoff.plan import read_plan

        if settings.handsoff is None:
            raise SelvedgeError("no plan of HandsOff is set; write one and set SELVEDGE_HANDSOFF to it.")
        self.home, self.plan = settings.home, read_plan(settings.handsoff)
        self._size: int | None = None

    def frozen(self) -> "FrozenGenerator":
        import torch

        from training.devices import choose_device
        from training.handsoff.frozen import load_generator

        if self.plan.inversion.threads:
            torch.set_num_threads(self.plan.inversion.threads)
        frozen = load_generator(self.plan.generator_folder, device=choose_device(self.plan.inversion.device))
        self._size = frozen.size
        return frozen

    def labelled(self) -> "LabelledPictures":
        from training.handsoff.labels import read_labelled

        assert self._size is not None
        return read_labelled(Path(self.plan.labels), self._size)

    def folder(self, frozen: "FrozenGenerator", labelled: "LabelledPictures") -> Path:
        return self.home / "handsoff" / self.plan.key(frozen.digest, labelled.digest)

    def drawn(self, frozen: "FrozenGenerator", codes: Any) -> Any:
        import torch

        from training.picture_tensors import to_uint8

        with torch.no_grad():
            return to_uint8(frozen.synthesise(codes.to(frozen.device)))


def _strips(strips: list[Any], label: str) -> dg.MarkdownMetadataValue:
    """Rows of pictures below each other, one kind a row."""
    import numpy as np

    from catalog.files import png_bytes

    return image(png_bytes(np.concatenate([np.concatenate(list(strip), axis=1) for strip in strips])), label)
