"""What a ReStGAN run is of: a checkpoint goes on only under the same of it.

Belongs here: what must agree. Not here: what is saved, which every GAN shares (training/gan_checkpoint.py), finished
models (sampling.py).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from catalog.files import json_sha256
from training.restgan.dataset import Bottoms
from training.restgan.settings import RestganSettings

FORMAT = 2


@dataclass(frozen=True)
class Identity:
    """What a run is of. A checkpoint goes on only under the same vocabulary, colours, data and fixed settings."""

    vocabulary: str
    colours: str
    data: str
    settings: Mapping[str, Any]
    family: ClassVar[str] = "restgan"
    format: ClassVar[int] = FORMAT
    parts: ClassVar[Mapping[str, str]] = {
        "vocabulary": "another vocabulary",
        "colours": "another colour table",
        "data": "other bottoms",
    }

    @property
    def run(self) -> str:
        """Hex sha256 over all of it."""
        parts = [FORMAT, self.vocabulary, self.colours, self.data, dict(self.settings)]
        return json_sha256(parts)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "vocabulary": self.vocabulary,
            "colours": self.colours,
            "data": self.data,
            "settings": dict(self.settings),
        }


def identify(bottoms: Bottoms, settings: RestganSettings, start: str = "") -> Identity:
    """The identity of training with these settings on these bottoms, from random weights or from the base `start`."""
    fixed = json.loads(json.dumps(settings.fixed()))
    if start:
        fixed["start"] = start
    return Identity(bottoms.vocabulary.digest, bottoms.colours.digest, bottoms.digest, fixed)
