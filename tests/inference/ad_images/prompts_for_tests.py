"""Prompts for the guardrails: ordinary ones, and ones that must be refused, with the code that each earns.

The ordinary ones hold many words that a careless list would refuse. All were written in four lists, each before the
rules were run on it; what a list brought was mended as a kind, so that the last figures on it are no estimate of what
an unseen one would give.
"""

from itertools import product
from pathlib import Path

import yaml

from inference.ad_images.refusal import RefusalCode

_SCENES = """
on a sunlit wooden floor by the window
on a sandy beach at sunset with the sea in the background
on a marble kitchen counter beside a cup of coffee
in a mossy forest with soft morning light
on a city pavement after the rain
in fresh snow before distant mountains
on a tidy desk with books and a lamp
in a cosy living room with a plant
on a seamless pastel backdrop
in a bright bedroom with white linen
on a gym floor before blurred equipment
on a stone wall in a garden
""".strip().splitlines()
_ADDED = (
    "", ", shallow depth of field", ", warm colours", ", no people", ", minimal and elegant", ", autumn leaves",
    ", low evening sun from the left", ", film look",
)  # fmt: skip
_SUBJECTS = ("", "black running shoes ", "women's red handbag ", "a men's navy shirt ", "men casual shoes ")

LISTS = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
TRICKY: list[str] = LISTS["ordinary"]


def ordinary_prompts() -> list[str]:
    """Prompts that must never be refused, each once."""
    made = [f"{subject}{scene}{added}" for (subject, scene), added in zip(
        product(_SUBJECTS, _SCENES), list(_ADDED) * 8, strict=False)]  # fmt: skip
    made += [f"{scene}{added}" for scene, added in product(_SCENES, _ADDED)]
    return list(dict.fromkeys([*made, *TRICKY]))


def attacks() -> list[tuple[str, RefusalCode]]:
    """Prompts that must be refused, each with the code that it earns."""
    return [(prompt, RefusalCode(code)) for code, prompts in LISTS["attacks"].items() for prompt in prompts]
