"""The demo with micro settings as a process of its own, which ends itself at a chosen moment.

Moments: `ingest` (the quarantine table is written, the products are not), `training` (a few steps after a checkpoint,
while the pool's slot is held), `inference` (the attributes are written, and Dagster has not been told).
"""

import json
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL.Image import Image

from catalog import tables
from evaluation.gate import GateRule
from orchestration.families.blip2_attributes.declaration import BLIP2_ATTRIBUTES, NAME
from orchestration.jobs.demo import run_demo
from orchestration.runtime.settings import Settings

# Weights of noise learn nothing in twelve steps: any candidate passes, so that the road behind the gate is travelled.
LENIENT = replace(
    BLIP2_ATTRIBUTES,
    rule=lambda settings: GateRule(NAME, delta=1.0, minimum_gain=-1.0, clear_gain=False, beats=()),
    review=None,  # six test products are no round; tests/e2e/test_review_road.py has one
)
TRAINING_STEP = 10  # told every ten; the checkpoint before it is of step 8


class Reporter:
    """Ends the process in the middle of the training."""

    def __init__(self, end: Callable[[], None] | None) -> None:
        self._end = end

    def metrics(self, step: int, values: Mapping[str, float]) -> None: ...

    def picture(self, step: int, name: str, image: Image) -> None: ...

    def progress(self, done: int, total: int, what: str) -> None:
        if self._end and what == "LoRA" and done >= TRAINING_STEP:
            self._end()


def main(folder: str, port: str, moment: str = "", name: str = "SIGKILL") -> None:
    """Run the demo, perhaps up to a moment and the signal of that name; its outcome is one line of JSON on stdout."""
    end = lambda: os.kill(os.getpid(), signal.Signals[name])  # noqa: E731
    if moment == "ingest":
        tables.publish_bytes = _ending(tables.publish_bytes, "catalog/products/drawn-1", end, before=True)
    if moment == "inference":
        tables.publish_bytes = _ending(tables.publish_bytes, "inference/attributes/drawn-1", end, before=False)
    settings = Settings(
        home=Path(folder) / "home",
        family_settings={"blip2-attributes": Path(folder) / "settings.yaml"},
        mlflow_port=int(port),
        demo_products=60,
        demo_new_products=12,
        ad_products=2,
        threads=1,
        cnn_seconds=0,
    )
    reporter = Reporter(end if moment == "training" else None)
    print(json.dumps(run_demo(settings, reporter=reporter, families=[LENIENT])))


def _ending(publish: Callable[..., None], place: str, end: Callable[[], None], before: bool) -> Callable[..., None]:
    def published(content: bytes, uri: Any) -> None:
        if before and place in str(uri):
            end()
        publish(content, uri)
        if not before and place in str(uri):
            end()

    return published
