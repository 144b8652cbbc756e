"""The generator: shapes, what follows from what, and that scaling activations is modulating weights."""

import pytest
import torch
from torch.nn import functional

from tests.training.handsoff.small import SIZE, settings
from training.handsoff.discriminator import Discriminator
from training.handsoff.frozen import FrozenGenerator
from training.handsoff.generator import Generator
from training.handsoff.layers import GAIN, ModulatedConvolution


@pytest.fixture
def frozen() -> FrozenGenerator:
    torch.manual_seed(0)
    generator = Generator(settings())
    for parameter in generator.parameters():  # new levels begin with no colours of their own
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    return FrozenGenerator(settings(), generator)


@pytest.mark.parametrize(("size", "blocks"), [(64, 9), (128, 11)])
def test_shapes_of_pictures_and_features_at_both_sizes(size, blocks):
    frozen = FrozenGenerator(settings(size=size), Generator(settings(size=size)))
    w = frozen.map(frozen.latents(2, 0))
    features = frozen.features(w)
    assert frozen.synthesise(w).shape == (2, 3, size, size)
    assert frozen.blocks == blocks == len(features) and frozen.channels == tuple(f.shape[1] for f in features)
    assert [f.shape[2] for f in features[:3]] == [4, 8, 8] and features[-1].shape[2] == size
    assert Discriminator(settings(size=size))(torch.zeros(2, 3, size, size)).shape == (2,)


def test_a_sample_is_mapping_then_synthesis_and_w_plus_of_one_w_is_that_w(frozen):
    sampled = frozen.sample(3, seed=5)
    w = frozen.map(frozen.latents(3, 5))
    assert torch.equal(w, sampled.w) and sampled.pictures.shape == (3, SIZE, SIZE, 3)
    pictures = frozen.synthesise(w)
    assert torch.equal(frozen.synthesise(frozen.spread(w)), pictures)
    assert abs(sampled.pictures - (pictures.permute(0, 2, 3, 1).numpy() + 1) * 127.5).max() <= 0.5 + 1e-3 or (
        pictures.abs().max() > 1
    )
    other = frozen.spread(w).clone()
    other[:, -1] += 1
    assert not torch.equal(frozen.synthesise(other), pictures)
    assert torch.equal(frozen.features(other)[-2], frozen.features(w)[-2])


def test_sampling_depends_on_the_seed_alone_and_a_row_on_no_other(frozen):
    one, again, other = frozen.sample(4, 1), frozen.sample(4, 1), frozen.sample(4, 2)
    assert (one.pictures == again.pictures).all() and not (one.pictures == other.pictures).all()
    assert torch.equal(frozen.latents(2, 1), frozen.latents(4, 1)[:2])
    assert torch.equal(frozen.mean_w(), frozen.mean_w())


def test_a_code_with_another_number_of_styles_is_refused(frozen):
    with pytest.raises(ValueError, match="5 styles, and this one 4"):
        frozen.synthesise(torch.zeros(1, 4, 8))


def test_gradients_reach_every_style_of_a_code(frozen):
    w = frozen.spread(frozen.map(frozen.latents(1, 0))).clone().requires_grad_()
    frozen.synthesise(w).square().sum().backward()
    assert (w.grad.abs().sum(dim=2) > 0).all()


def test_scaled_activations_are_modulated_and_demodulated_weights():
    torch.manual_seed(1)
    layer = ModulatedConvolution(5, 7, 3, latent=4).double()
    x, w = torch.randn(2, 5, 6, 6, dtype=torch.double), torch.randn(2, 4, dtype=torch.double)
    for picture, style, got in zip(x, layer.style(w), layer(x, w), strict=True):
        weight = layer.convolution.weight * layer.convolution.scale * style[None, :, None, None]
        weight = weight / (weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
        assert torch.allclose(GAIN * functional.conv2d(picture[None], weight, padding=1)[0], got)


def test_a_level_begins_as_its_enlarged_predecessor():
    torch.manual_seed(0)
    small = Generator(settings(size=16))
    large = Generator(settings(size=32))
    shared = {name: value for name, value in small.state_dict().items() if name in large.state_dict()}
    assert set(shared) == set(small.state_dict())
    large.load_state_dict(large.state_dict() | shared)
    z = torch.randn(2, 8)
    assert torch.allclose(large(z), functional.interpolate(small(z), scale_factor=2, mode="bilinear"), atol=1e-5)
