"""The diffusers backdrop on tiny random weights, through the code that a GPU would use."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from inference.ad_images.backdrops import diffusion
from inference.ad_images.backdrops.diffusion import Diffusion
from inference.ad_images.compositing import compose
from inference.ad_images.plan import Placed
from inference.ad_images.refusal import AdRefused, RefusalCode
from tests.inference.ad_images.backdrops.tiny_pipelines import TINY, rewrite, save_tiny
from tests.inference.ad_images.drawn_products import block, placed_on, scene_of

pytestmark = pytest.mark.slow
SIZE = (128, 128)


@pytest.fixture(autouse=True)
def small_canvases(monkeypatch):
    monkeypatch.setattr(diffusion, "SIDES", range(128, 1537, 64))


@pytest.fixture(scope="module")
def backdrops(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Diffusion]:
    """A backdrop of every model, loaded from its folder once."""
    home = tmp_path_factory.mktemp("weights")
    opened = {}
    for model in TINY:
        encoder = save_tiny(model, home / model)
        opened[model] = Diffusion(home / model, device="cpu", steps=1, encoder=encoder)
    return opened


def halves(colour: tuple[int, int, int]) -> Placed:
    """A canvas whose right half is product."""
    placed = placed_on(SIZE, block(20, 40, colour))
    pixels = np.zeros((*reversed(SIZE), 4), np.uint8)
    pixels[:, 64:] = (*colour, 255)
    return replace(placed, pixels=pixels, box=(64, 0, 128, 128))


@pytest.mark.parametrize("model", TINY)
def test_the_product_is_untouched_and_the_same_seed_repeats(backdrops, model):
    placed, scene = placed_on(SIZE), scene_of(SIZE)
    backdrop = backdrops[model]
    backdrop.check(SIZE, "any theme")
    first, second, other = backdrop.paint([scene, scene, replace(scene, seed=12)], [placed] * 3)
    assert first.shape == (*reversed(SIZE), 3) and first.dtype == np.uint8
    assert (first == second).all() and (first != other).any()
    assert (first[placed.kept] != placed.pixels[placed.kept][:, :3]).any(), "it changes what it was asked to keep"
    picture = compose(first, first, placed, scene, None)
    assert (picture.pixels[placed.kept] == placed.pixels[placed.kept][:, :3]).all()


@pytest.fixture
def movement_unseen(monkeypatch):
    """One straight edge, blurred by a random decoder, tells no movement along itself."""
    monkeypatch.setattr(diffusion, "require_unmoved", lambda *_: None)


@pytest.mark.usefixtures("movement_unseen")
@pytest.mark.parametrize("model", ["FLUX.2-klein-4B", "Qwen-Image", "Z-Image-Turbo"])
def test_white_is_painted(backdrops, model, monkeypatch):
    """These put the given picture's latents back where they may not paint: another caption changes the rest only."""
    backdrop, latents = backdrops[model], []
    decoder = backdrop._pipeline.vae
    decode = decoder.decode

    def spy(given, **options):
        latents.append(given)
        return decode(given, **options)

    monkeypatch.setattr(decoder, "decode", spy)
    scene, placed = scene_of(SIZE), halves((200, 40, 90))
    backdrop.paint([scene, replace(scene, caption="Snow.")], [placed] * 2)
    changed = (latents[0] != latents[1]).flatten(0, -2).any(0).numpy()
    half = len(changed) // 2
    assert changed[:half].all() and not changed[half:].any()


@pytest.mark.usefixtures("movement_unseen")
def test_white_is_painted_by_a_network_that_is_given_the_mask(backdrops, monkeypatch):
    """SDXL's network sees the masked picture: what lies under white never reaches it, what lies under black does."""
    backdrop, scene = backdrops["stable-diffusion-xl-1.0-inpainting-0.1"], scene_of(SIZE)
    (first,) = backdrop.paint([scene], [halves((200, 40, 90))])
    (recoloured,) = backdrop.paint([scene], [halves((20, 220, 90))])
    monkeypatch.setattr(diffusion, "CANVAS_GREY", 30)
    (on_dark,) = backdrop.paint([scene], [halves((200, 40, 90))])
    assert (first == on_dark).all() and (first != recoloured).any()


def test_a_caption_reaches_the_default_pipeline_through_its_tokenizer(backdrops):
    placed, scene = placed_on(SIZE), scene_of(SIZE)
    first, second = backdrops["FLUX.2-klein-4B"].paint([scene, replace(scene, caption="Snow.")], [placed] * 2)
    assert (first != second).any()


def test_a_size_between_is_padded_and_cropped(backdrops):
    size = (150, 130)
    placed = placed_on(size)
    (background,) = backdrops["FLUX.2-klein-4B"].paint([scene_of(size)], [placed])
    assert background.shape == (130, 150, 3)


@pytest.mark.parametrize("size", [(100, 512), (512, 1600), (1536, 1024)])
def test_a_size_that_it_cannot_paint(backdrops, size):
    with pytest.raises(AdRefused, match=f"{size[0]}x{size[1]} is no such size") as refusal:
        backdrops["FLUX.2-klein-4B"].check(size, "beach")
    assert refusal.value.code is RefusalCode.BAD_SIZE


def test_a_product_that_comes_back_moved_is_refused(backdrops, monkeypatch):
    class Shifts:
        def __call__(self, image, **_):
            moved = image.copy()
            moved.paste(image, (4, 0))
            return type("Answer", (), {"images": [moved]})

    backdrop = Diffusion(backdrops["FLUX.2-klein-4B"].weights.folder)
    monkeypatch.setitem(backdrop.__dict__, "_pipeline", Shifts())
    with pytest.raises(AdRefused, match=r"by 4\.0 px") as refusal:
        backdrop.paint([scene_of(SIZE)], [placed_on(SIZE)])
    assert refusal.value.code is RefusalCode.PRODUCT_MOVED


def test_a_device_that_is_too_small(backdrops, monkeypatch):
    def runs_out(**_):
        raise torch.OutOfMemoryError("tried to allocate 20 GiB")

    backdrop = Diffusion(backdrops["FLUX.2-klein-4B"].weights.folder)
    monkeypatch.setitem(backdrop.__dict__, "_pipeline", runs_out)
    with pytest.raises(AdRefused, match="does not fit into the memory") as refusal:
        backdrop.paint([scene_of(SIZE)], [placed_on(SIZE)])
    assert refusal.value.code is RefusalCode.BACKEND_MISSING


def refused(folder: Path, encoder=None) -> str:
    with pytest.raises(AdRefused) as refusal:
        Diffusion(folder, device="cpu", steps=1, encoder=encoder).paint([scene_of(SIZE)], [placed_on(SIZE)])
    assert refusal.value.code is RefusalCode.BACKEND_MISSING
    return str(refusal.value)


def test_weights_that_are_not_what_the_folder_says(tmp_path):
    encoder = save_tiny("Qwen-Image", tmp_path / "qwen")
    assert "no text encoder" in refused(tmp_path / "qwen")
    rewrite(tmp_path / "qwen" / "transformer" / "config.json", num_layers=2)
    assert "lacks" in refused(tmp_path / "qwen", encoder)
    rewrite(tmp_path / "qwen" / "transformer" / "config.json", num_layers=1, attention_head_dim=32)
    assert "does not load as QwenImageInpaintPipeline" in refused(tmp_path / "qwen", encoder)
    file = next((tmp_path / "qwen" / "vae").glob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:-100])
    rewrite(tmp_path / "qwen" / "transformer" / "config.json", attention_head_dim=16)
    assert "does not load" in refused(tmp_path / "qwen", encoder)
