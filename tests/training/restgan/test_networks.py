"""Text encoder, generator and discriminators: shapes, sizes, the same noise along a sequence, the condition."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.training.restgan.synthetic import synthetic_bottoms
from training.restgan.generator import Generator, Noise, draw_noise
from training.restgan.objective import discriminators_of
from training.restgan.sampling import build_networks
from training.restgan.settings import VARIANTS, RestganSettings
from training.restgan.text import ConditioningAugmentation

BOTTOMS = synthetic_bottoms(60, size=16)
SMALL = RestganSettings(
    size=16, noise=8, embedding=12, state=16, condition=6, generator_width=8, discriminator_width=8, refiner_width=8
)


def parameters(*modules: torch.nn.Module) -> int:
    return sum(p.numel() for module in modules for p in module.parameters())


@pytest.mark.parametrize(
    ("variant", "size", "stages"), [*itertools.product(VARIANTS, [16, 32], [1, 2]), ("restgan", 64, 2)]
)
def test_every_variant_and_size_has_the_shapes_it_promises(variant, size, stages):
    settings = replace(SMALL, variant=variant, size=size, stages=stages)
    text, generator = build_networks(settings, BOTTOMS.vocabulary, BOTTOMS.colours)
    judges = discriminators_of(settings, (3, len(BOTTOMS.colours), 3))
    words, clusters = torch.from_numpy(BOTTOMS.words[:4].copy()), torch.from_numpy(BOTTOMS.colour_words[:4].copy())
    state = text(words, clusters, torch.tensor([1, 2, 3, 3]))
    drawn = generator(state, draw_noise(4, settings, torch.Generator().manual_seed(0)))
    assert state.shape == (4, 16) and state.abs().max() <= 1
    assert [tuple(p.shape) for p in drawn.pictures] == [(4, 3, size << i, size << i) for i in range(stages)]
    assert all(p.abs().max() <= 1 and p.dtype == torch.float32 for p in drawn.pictures)
    assert [tuple(m.shape) for m in drawn.means] == [(4, 6)] * stages
    for judge, pictures in zip(judges, drawn.pictures, strict=True):
        features = judge.features(pictures)
        assert judge.unconditional(features).shape == judge.conditional(judge.joined(features), state).shape == (4,)
        if VARIANTS[variant].auxiliary:
            assert [tuple(part.shape) for part in judge.attributes(features)] == [(4, 3), (4, 4), (4, 3)]
        else:
            with pytest.raises(ValueError, match="no attribute heads"):
                judge.attributes(features)


@pytest.mark.parametrize("stages", [1, 2])
def test_the_rungs_of_the_ladder_are_of_one_size(stages):
    counts = {}
    for variant in VARIANTS:
        settings = RestganSettings(variant=variant, stages=stages)
        networks = build_networks(settings, BOTTOMS.vocabulary, BOTTOMS.colours)
        counts[variant] = (parameters(*networks), parameters(discriminators_of(settings, (3, 12, 3))))
    for part in zip(*counts.values(), strict=True):
        assert max(part) <= 1.1 * min(part), counts


@pytest.mark.parametrize("variant", ["restgan", "restgan-bag", "stackgan"])
def test_reading_word_by_word_is_reading_at_once(variant):
    torch.manual_seed(1)
    text, _ = build_networks(replace(SMALL, variant=variant), BOTTOMS.vocabulary, BOTTOMS.colours)
    words, clusters = torch.from_numpy(BOTTOMS.words[:7].copy()), torch.from_numpy(BOTTOMS.colour_words[:7].copy())
    lengths = torch.from_numpy(BOTTOMS.lengths[:7].copy())
    at_once, state = text.after_each_word(words, clusters), text.start(7)
    for place in range(words.shape[1]):
        state, said = text.step(state, words[:, place], clusters[:, place])
        torch.testing.assert_close(said, at_once[:, place])
    last = at_once[torch.arange(7), lengths - 1]
    torch.testing.assert_close(text(words, clusters, lengths), last)
    padded = torch.nn.functional.pad(words, (0, 3)), torch.nn.functional.pad(clusters, (0, 3), value=-1)
    torch.testing.assert_close(text(*padded, lengths), last)


def test_a_prefix_knows_nothing_of_what_follows():
    text, _ = build_networks(SMALL, BOTTOMS.vocabulary, BOTTOMS.colours)
    words, clusters = torch.tensor([[2, 5, 8], [2, 5, 9]]), torch.full((2, 3), -1)
    states = text.after_each_word(words, clusters)
    assert torch.equal(states[0, :2], states[1, :2]) and not torch.allclose(states[0, 2], states[1, 2])


def test_the_mean_forgets_the_order_and_the_lstm_does_not():
    words, other = torch.tensor([[2, 5, 8]]), torch.tensor([[8, 2, 5]])
    clusters, length = torch.full((1, 3), -1), torch.tensor([3])
    for variant, same in (("restgan-bag", True), ("restgan", False)):
        text, _ = build_networks(replace(SMALL, variant=variant), BOTTOMS.vocabulary, BOTTOMS.colours)
        close = torch.allclose(text(words, clusters, length), text(other, clusters, length), atol=1e-6)
        assert close is same


def test_words_of_one_cluster_are_one_word_with_the_table_only():
    ids = [BOTTOMS.vocabulary.id_of(word) for word in ("blue", "navy blue", "red")]
    clusters = torch.tensor([BOTTOMS.colours.cluster(word) for word in ("blue", "navy blue", "red")])
    for variant, same in (("restgan", True), ("restgan-no-table", False)):
        text, _ = build_networks(replace(SMALL, variant=variant), BOTTOMS.vocabulary, BOTTOMS.colours)
        blue, navy, red = text.embed(torch.tensor(ids), clusters)
        assert torch.equal(blue, navy) is same and not torch.equal(blue, red)


def test_an_unknown_word_starts_as_silence_and_padding_stays_so():
    text, _ = build_networks(SMALL, BOTTOMS.vocabulary, BOTTOMS.colours)
    assert not text.embed(torch.tensor([0, 1]), torch.tensor([-1, -1])).any()


@pytest.mark.parametrize("stages", [1, 2])
def test_with_the_same_noise_and_state_the_picture_is_the_same_and_noise_or_state_change_it(stages):
    settings = replace(SMALL, stages=stages)
    torch.manual_seed(0)
    generator = Generator(settings)
    noise = draw_noise(1, settings, torch.Generator().manual_seed(3)).repeat(3)
    states = torch.randn(2, settings.state)[[0, 0, 1]]
    one, again, other = generator(states, noise).pictures[-1]
    assert torch.allclose(one, again, atol=1e-6) and (one - other).abs().max() > 1e-3
    fresh = draw_noise(3, settings, torch.Generator().manual_seed(4))
    for changed in (Noise(fresh.z, noise.epsilon), Noise(noise.z, fresh.epsilon)):
        assert (generator(states, changed).pictures[-1][0] - one).abs().max() > 1e-3


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**32))
@hypothesis_settings(max_examples=15, deadline=None)
def test_noise_of_a_row_does_not_depend_on_how_many_rows_there_are(few, many, seed):
    first = draw_noise(few, SMALL, torch.Generator().manual_seed(seed))
    second = draw_noise(many, SMALL, torch.Generator().manual_seed(seed))
    least = min(few, many)
    assert torch.equal(first.z[:least], second.z[:least]) and torch.equal(first.epsilon[:least], second.epsilon[:least])


def test_mean_and_log_variance_come_from_different_slices_and_are_not_cut_at_zero():
    torch.manual_seed(0)
    augmentation = ConditioningAugmentation(16, 6)
    state, epsilon = torch.randn(64, 16), torch.randn(64, 6)
    condition, mean, log_variance = augmentation(state, epsilon)
    torch.testing.assert_close(condition, mean + epsilon * log_variance.mul(0.5).exp())
    assert (mean < 0).any() and (log_variance < 0).any()
    with torch.no_grad():
        augmentation.both.weight[6:] = 0
        augmentation.both.bias[6:] = -60
    condition, same, _ = augmentation(state, epsilon)
    torch.testing.assert_close(same, mean)
    torch.testing.assert_close(condition, mean)


def test_the_condition_reaches_the_words():
    text, generator = build_networks(SMALL, BOTTOMS.vocabulary, BOTTOMS.colours)
    words, clusters = torch.tensor([[2, 5]]), torch.tensor([[-1, 1]])
    noise = draw_noise(1, SMALL, torch.Generator().manual_seed(0))
    generator(text(words, clusters, torch.tensor([2])), noise).pictures[0].sum().backward()
    assert text.embedding.weight.grad is not None and text.embedding.weight.grad[2].abs().sum() > 0
    assert text.colour is not None and text.colour.weight.grad is not None and text.colour.weight.grad.abs().sum() > 0
    assert not text.embedding.weight.grad[5].any(), "a colour word's own embedding is not used with the table"


def test_the_conditional_head_is_a_convolution_over_features_beside_tiled_text():
    settings = replace(SMALL, size=32)
    (judge,) = discriminators_of(settings, (3, 4, 3))
    features, state = torch.randn(2, 32, 4, 4), torch.randn(2, 16)
    tiled = judge.text(state)[:, :, None, None].expand(-1, -1, 4, 4)
    # The same with the text's map as the centre tap of a kernel over concatenated channels.
    kernel = torch.zeros(32, 64, 3, 3)
    kernel[:, :32] = judge.joint.weight
    kernel[:, 32:, 1, 1] = torch.eye(32)
    both = torch.nn.functional.conv2d(torch.cat([features, tiled], 1), kernel, judge.joint.bias, padding=1)
    wanted = judge.conditional_head(torch.nn.functional.leaky_relu(both, 0.2).flatten(1)).squeeze(1)
    torch.testing.assert_close(judge.conditional(judge.joined(features), state), wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("spectral", [False, True])
def test_no_discriminator_has_batch_norm_and_a_logit_ignores_the_rest_of_the_batch(spectral):
    (judge,) = discriminators_of(replace(SMALL, spectral_norm=spectral), (3, 4, 3))
    assert not any(isinstance(m, torch.nn.modules.batchnorm._BatchNorm) for m in judge.modules())
    judge.eval()
    pictures = torch.rand(5, 3, 16, 16)
    alone = judge.unconditional(judge.features(pictures[:1]))
    torch.testing.assert_close(judge.unconditional(judge.features(pictures))[:1], alone, atol=1e-5, rtol=1e-4)


def test_spectral_norm_bounds_every_layer():
    (judge,) = discriminators_of(replace(SMALL, spectral_norm=True), (3, 4, 3))
    for _ in range(30):
        judge.conditional(judge.joined(judge.features(torch.rand(2, 3, 16, 16))), torch.randn(2, 16))
    weight = judge.joint.weight.detach().flatten(1).numpy()
    assert np.linalg.svd(weight, compute_uv=False)[0] == pytest.approx(1, abs=0.05)
