"""Label Studio on paper with pictures that are drawn on, for tests of labels that people draw."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from label_studio_sdk.converter.brush import mask2rle

from labeling.review.label_studio.protocol import Progress, no_progress
from labeling.review.label_studio.records import Drawing, DrawnTask
from tests.labeling.review.rounds.paper_studio import PaperStudio

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@dataclass
class PaperEasel(PaperStudio):
    """One server. shown: data of every task, by project and key; drawn: what was submitted, likewise."""

    shown: dict[int, dict[str, dict[str, Any]]] = field(default_factory=dict)
    drawn: dict[int, dict[str, list[Drawing]]] = field(default_factory=dict)

    def import_tasks(
        self, project: int, tasks: Collection[Mapping[str, Any]], progress: Progress = no_progress
    ) -> dict[str, int]:
        kept = self.shown.setdefault(project, {})
        for task in tasks:
            kept.setdefault(task["key"], dict(task))
        return super().import_tasks(project, list(kept.values()), progress)

    def draw(self, project: int, key: str, result: Any, *, minute: int = 0, by: int = 1, skipped: bool = False) -> int:
        """Submit something on a picture; the annotation's number."""
        number = 1 + sum(len(drawings) for tasks in self.drawn.values() for drawings in tasks.values())
        drawing = Drawing(number, by, NOON + timedelta(minutes=minute), skipped, result)
        self.drawn.setdefault(project, {}).setdefault(key, []).append(drawing)
        return number

    def pull_drawings(self, project: int, progress: Progress = no_progress) -> Iterator[DrawnTask]:
        self._refuse_unknown(project)
        for key, data in self.shown[project].items():
            yield DrawnTask(key, data, tuple(self.drawn.get(project, {}).get(key, ())))


def painted(mask: np.ndarray, label: str, **changes: Any) -> dict[str, Any]:
    """A brush region over a (height, width) bool mask, encoded by the SDK."""
    value = {"format": "rle", "rle": mask2rle(np.where(mask, 255, 0).astype(np.uint8)), "brushlabels": [label]}
    return _region("brushlabels", value, mask.shape[::-1], changes)


def enclosed(corners: list[tuple[float, float]], label: str, size: tuple[int, int], **changes: Any) -> dict[str, Any]:
    """A polygon region of corners in per cent, on a picture of (width, height)."""
    value = {"points": [list(corner) for corner in corners], "closed": True, "polygonlabels": [label]}
    return _region("polygonlabels", value, size, changes)


def _region(kind: str, value: dict[str, Any], size: tuple[int, ...], changes: dict[str, Any]) -> dict[str, Any]:
    sides = {"original_width": size[0], "original_height": size[1], "image_rotation": 0}
    names = {"id": "r", "from_name": kind, "to_name": "picture", "type": kind}
    return {**names, **sides, "value": value, **changes}
