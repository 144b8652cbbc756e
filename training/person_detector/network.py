"""Network: four small convolutions, then the mean and the maximum of what they saw.

Belongs here: the layers, and what a picture must be to enter them. Not here: training (train.py).
"""

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from training.person_detector.figures import SIDE

FORMAT = 1  # of a folder with its weights
CHANNELS = (16, 24, 40, 56)


class PersonNetwork(nn.Module):
    """Pictures (n, 3, SIDE, SIDE), -1 to 1 → logits (n,): somebody is in it."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for channels in CHANNELS:
            layers += [
                nn.Conv2d(before, channels, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(),
            ]
            before = channels
        layers += [nn.Conv2d(before, before, 3, padding=1, bias=False), nn.BatchNorm2d(before), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(2 * before, 1))

    def forward(self, pictures: Tensor) -> Tensor:
        seen = self.body(pictures)
        pooled = torch.cat([seen.mean(dim=(2, 3)), seen.amax(dim=(2, 3))], dim=1)
        logits: Tensor = self.head(pooled)[:, 0]
        return logits


def squared(rgb: np.ndarray) -> np.ndarray:
    """A photograph as the network sees it: on a square of its border's colour, reduced.

    Args:
        rgb: (height, width, 3) uint8.

    Returns:
        (SIDE, SIDE, 3) uint8.
    """
    height, width = rgb.shape[:2]
    factor = SIDE / max(height, width)
    small = Image.fromarray(rgb).resize(
        (max(1, round(width * factor)), max(1, round(height * factor))), Image.Resampling.BOX
    )
    frame = np.concatenate([rgb[0], rgb[-1], rgb[:, 0], rgb[:, -1]])
    red, green, blue = (int(level) for level in np.median(frame, axis=0))
    square = Image.new("RGB", (SIDE, SIDE), (red, green, blue))
    square.paste(small, ((SIDE - small.width) // 2, (SIDE - small.height) // 2))
    return np.asarray(square)


def as_tensor(pictures: np.ndarray) -> Tensor:
    """(n, SIDE, SIDE, 3) uint8 → what `PersonNetwork` takes."""
    return torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))).float() / 127.5 - 1
