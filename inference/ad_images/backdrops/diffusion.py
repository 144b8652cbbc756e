"""The diffusers backdrop: backgrounds painted by an open inpainting pipeline, from a folder of weights.

Belongs here: sizes, the call, the check of what comes back. Not here: which weights may be used (weights.py), pasting
the product (compositing.py). torch and diffusers are imported when the first picture is painted.

What a pipeline does to the product does not matter: the placed one is pasted over its picture. What it must not do is
move it, or paint another size: both are looked for.

A pipeline is given a canvas whose sides are multiples of 64, from a closed list; a picture of another size is padded to
the next one and cropped afterwards (sizes that a pipeline does not keep come back shifted, or scaled). `strength` is
always 1.0: with less, the empty canvas shines through and objects grow (diffusers #5600).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from inference.ad_images.backdrops.weights import Weights, check_weights
from inference.ad_images.compositing import Polarity, pasted, require_unmoved, to_backend
from inference.ad_images.plan import Placed
from inference.ad_images.refusal import AdRefused, RefusalCode
from inference.ad_images.scene import Scene

SIDES = range(256, 1536 + 1, 64)
CANVAS_GREY = 128
STRENGTH = 1.0

Encoder = Callable[[Any, str], Mapping[str, Any]]
"""(pipeline, caption) → arguments that say it, such as `prompt_embeds`, for a folder without a text encoder."""


class Diffusion:
    """A backdrop over one folder of weights.

    Args:
        folder: as `save_pretrained` or a download of the model's repository makes it.
        device: "cuda" or "cpu"; None takes the first that is there.
        steps: in place of the table's.
        encoder: says the caption in place of the folder's own text encoder.

    Raises:
        AdRefused: the folder may not paint (`check_weights`), or has no text encoder and none was given.
    """

    name = "diffusers"
    paints_shadows = True

    def __init__(
        self, folder: Path, *, device: str | None = None, steps: int | None = None, encoder: Encoder | None = None
    ) -> None:
        self.weights: Weights = check_weights(folder)
        self._device = device
        self._steps = steps
        self._encoder = encoder
        if encoder is None and "text_encoder" in self.weights.absent:
            raise AdRefused(
                RefusalCode.BACKEND_MISSING, f"{folder} has no text encoder; copy the model's whole folder."
            )

    @cached_property
    def version(self) -> str:
        """Model, class and digest of the weights; reads them whole, once."""
        import diffusers

        pipeline = self.weights.pipeline
        digest = self.weights.digest()
        return f"{pipeline.model}:{pipeline.paints_with}:{digest[:16]}:diffusers-{diffusers.__version__}"

    def check(self, size: tuple[int, int], theme: str) -> None:
        """Raises AdRefused: BAD_SIZE. Any theme is painted: it is words of the caption."""
        self._canvas(size)

    def _canvas(self, size: tuple[int, int]) -> tuple[int, int]:
        """The size of the closed list that holds a picture."""
        width, height = (next((side for side in SIDES if side >= length), 0) for length in size)
        most = self.weights.pipeline.max_pixels
        if min(size) < SIDES[0] or not width or not height or width * height > most:
            raise AdRefused(
                RefusalCode.BAD_SIZE,
                f"{self.weights.pipeline.model} paints sides of {SIDES[0]} to {SIDES[-1]} px and at most {most:,} px "
                f"in all, in steps of 64; {size[0]}x{size[1]} is no such size.",
            )
        return width, height

    def paint(self, scenes: Sequence[Scene], placed: Sequence[Placed]) -> list[np.ndarray]:
        """A background for each plan, one call each.

        Raises:
            AdRefused: weights that do not load, a size that it cannot paint, or a picture in which the product moved.
        """
        return [self._painted(scene, each) for scene, each in zip(scenes, placed, strict=True)]

    def _painted(self, scene: Scene, placed: Placed) -> np.ndarray:
        import torch

        width, height = self._canvas(scene.size)
        right, below = width - scene.size[0], height - scene.size[1]
        empty = np.full((scene.size[1], scene.size[0], 3), CANVAS_GREY, np.uint8)
        canvas = np.pad(pasted(empty, placed), ((0, below), (0, right), (0, 0)), constant_values=CANVAS_GREY)
        paintable = np.pad(placed.repaint, ((0, below), (0, right)), constant_values=True)
        try:
            answer = self._pipeline(
                image=Image.fromarray(canvas),
                mask_image=Image.fromarray(to_backend(paintable, Polarity.PAINT_WHITE)),
                width=width,
                height=height,
                strength=STRENGTH,
                generator=torch.Generator("cpu").manual_seed(scene.seed),
                **self._said(scene.caption),
                **{**self.weights.pipeline.call, **({"num_inference_steps": self._steps} if self._steps else {})},
            )
        except torch.OutOfMemoryError as error:
            raise AdRefused(
                RefusalCode.BACKEND_MISSING,
                f"{self.weights.pipeline.model} does not fit into the memory of this device at {width}x{height} px; "
                "ask for a smaller size, or use another device or backdrop.",
            ) from error
        picture = np.asarray(answer.images[0].convert("RGB"))
        if picture.shape != canvas.shape:
            raise AdRefused(
                RefusalCode.BAD_SIZE,
                f"{self.weights.pipeline.model} was asked for {width}x{height} px and painted "
                f"{picture.shape[1]}x{picture.shape[0]}; ask for another size.",
            )
        background = np.ascontiguousarray(picture[: scene.size[1], : scene.size[0]])
        require_unmoved(canvas[: scene.size[1], : scene.size[0]], background, placed)
        return background

    def _said(self, caption: str) -> dict[str, Any]:
        if self._encoder is not None:
            return dict(self._encoder(self._pipeline, caption))
        negative = self.weights.pipeline.negative
        return {"prompt": caption} | ({} if negative is None else {"negative_prompt": negative})

    @cached_property
    def _pipeline(self) -> Any:
        """The loaded pipeline. Raises: AdRefused: BACKEND_MISSING, weights that are damaged or of another shape."""
        import diffusers
        import torch

        device = self._device or ("cuda" if torch.cuda.is_available() else "cpu")
        weights = self.weights
        try:
            with _quiet():
                pipeline = getattr(diffusers, weights.pipeline.paints_with).from_pretrained(
                    str(weights.folder),
                    dtype=torch.float32 if device == "cpu" else torch.bfloat16,
                    use_safetensors=True,
                    local_files_only=True,
                    **dict.fromkeys(weights.absent),
                )
        except Exception as error:  # what a damaged file or a foreign configuration raises has no common class
            why = " ".join(str(error).split())[:300] or type(error).__name__
            raise AdRefused(
                RefusalCode.BACKEND_MISSING,
                f"{weights.folder} does not load as {weights.pipeline.paints_with} ({why}); copy the weights of "
                f"{weights.pipeline.model} again.",
            ) from error
        _require_all_weights(pipeline, weights)
        pipeline.set_progress_bar_config(disable=True)
        with _quiet():
            return pipeline.to(device)


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars and no warnings of diffusers and transformers; errors are raised anyway."""
    from diffusers.utils import logging as diffusers_log
    from transformers.utils import logging as transformers_log

    before = [(log, log.get_verbosity(), log.is_progress_bar_enabled()) for log in (diffusers_log, transformers_log)]
    for log, _, _ in before:
        log.set_verbosity_error()
        log.disable_progress_bar()
    try:
        yield
    finally:
        for log, verbosity, bars in before:
            log.set_verbosity(verbosity)
            if bars:
                log.enable_progress_bar()


def _require_all_weights(pipeline: Any, weights: Weights) -> None:
    """diffusers fills what a file lacks with random numbers, and only says so in its log.

    Raises:
        AdRefused: BACKEND_MISSING, a network has parameters that no file holds.
    """
    import diffusers
    from safetensors import safe_open

    for name in weights.components:
        network: Any = getattr(pipeline, name)
        checks_itself = not isinstance(network, diffusers.ModelMixin)
        if checks_itself:
            continue  # transformers knows which of its weights are shared
        held: set[str] = set()
        for file in (weights.folder / name).glob("*.safetensors"):
            with safe_open(file, "np") as content:
                held.update(content.keys())
        absent = sorted(set(network.state_dict()) - held)
        if absent:
            raise AdRefused(
                RefusalCode.BACKEND_MISSING,
                f"{weights.folder / name} lacks {len(absent)} weights of {type(network).__name__} ({absent[0]}); "
                "copy the model's whole folder.",
            )
