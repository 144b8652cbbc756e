"""Precision: bf16 only where the hardware multiplies it; in software it is many times slower than fp32."""

from dataclasses import fields

import pytest
import torch

from catalog.errors import SelvedgeError
from training.blip2.settings import ContinuationSettings, LoraSettings
from training.devices import choose_precision
from training.handsoff.settings import GeneratorSettings
from training.restgan.candidate import RestganCandidateSettings

CPU = torch.device("cpu")


@pytest.mark.parametrize(("multiplied", "precision"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_takes_what_the_processor_multiplies(monkeypatch, multiplied, precision):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: multiplied)
    assert choose_precision("auto", CPU) is precision
    assert choose_precision("bf16", CPU) is torch.bfloat16 and choose_precision("fp32", CPU) is torch.float32


def test_an_unknown_precision_is_a_sentence():
    with pytest.raises(SelvedgeError, match="take auto, bf16 or fp32"):
        choose_precision("fp8", CPU)


@pytest.mark.parametrize(
    "settings",
    [LoraSettings(), ContinuationSettings(), GeneratorSettings(), RestganCandidateSettings().restgan],
    ids=lambda settings: type(settings).__name__,
)
def test_no_training_asks_by_default_for_what_a_laptop_may_lack(settings):
    assert "precision" in {field.name for field in fields(settings)} and settings.precision in ("auto", "fp32")
