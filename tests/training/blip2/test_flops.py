"""The FLOPs count agrees with the one that torch makes."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.flops import Work, image_flops, question_flops, saving
from training.blip2.base import Base
from training.blip2.features import image_features
from training.blip2.language import decode, encode, image_tokens
from training.blip2.profiles import FLAN_T5_XL


def test_the_count_is_what_torch_counts(base: Base):
    with FlopCounterMode(display=False) as counted:
        features = image_features(base.model, torch.randn(1, 3, 64, 64))
    assert image_flops(base.profile) == pytest.approx(counted.get_total_flops(), rel=1e-6)
    prompt, nodes = torch.tensor([[5] * 11]), 6
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        tokens = image_tokens(base.model, features)
        read = encode(base.model.language_model, tokens, prompt, torch.ones_like(prompt, dtype=torch.bool))
        steps = torch.arange(nodes)
        decode(base.model.language_model, torch.full((1, nodes), 5), steps, steps[None] <= steps[:, None], read)
    assert question_flops(base.profile, Work(11, nodes)) == pytest.approx(counted.get_total_flops(), rel=1e-6)


def test_full_size_saves_three_quarters_of_eight_questions():
    """Prompt of 19 tokens and 8 decoder positions: more than T5's tokenizer needs for the published questions."""
    assert saving(FLAN_T5_XL, 8, Work(19, 8))["ratio"] >= 3
