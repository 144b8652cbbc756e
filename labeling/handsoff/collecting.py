"""Collecting: what people drew, as the folder of labelled pictures that HandsOff learns from.

Belongs here: which annotation of a picture counts, the folder. Not here: drawing its regions (regions.py), reading the
folder (training/handsoff/labels.py).

Of a picture the newest annotation that was submitted with a region counts. Pictures that were skipped, or that nobody
has drawn on, are left out. `collected.json` beside the labels says whose annotation each mask is of; a folder without
one is never replaced.
"""

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.errors import SelvedgeError
from catalog.files import png_bytes
from catalog.pictures import Limits
from labeling.handsoff.page import IMAGE
from labeling.handsoff.regions import mask_of, regions_of
from labeling.handsoff.request import AskedPicture, LabelRequest
from labeling.review.label_studio.protocol import DrawingServer, Progress, no_progress
from labeling.review.label_studio.records import Drawing, DrawnTask
from training.folders import written_whole
from training.handsoff.labels import LABELS_FILE, LabelKinds, labels_json

COLLECTED_FILE = "collected.json"
FORMAT = 1
JPEG = "data:image/jpeg;base64,"


@dataclass(frozen=True)
class CollectedLabels:
    """What was written. Counts of pictures, of people whose drawings count, and of their regions."""

    asked: int
    labelled: int
    skipped: int
    unlabelled: int
    annotators: int
    regions: int


def collect_labels(
    request: LabelRequest, server: DrawingServer, out: Path, progress: Progress = no_progress
) -> CollectedLabels:
    """Write images/, masks/ and labels.json of every labelled picture, whole or not at all; the same again, the same.

    Raises:
        SelvedgeError: the folder holds something else; the project is gone; nothing is labelled yet; a picture is not
            what was asked about; a region that does not fit its picture.
        ServiceUnavailable: Label Studio does not answer.
    """
    if out.exists() and not (out / COLLECTED_FILE).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise SelvedgeError(f"{out} holds something other than collected labels; choose a new folder with --out.")
    project = server.find_project(request.title)
    if project is None:
        raise SelvedgeError(
            f"project {request.title!r} is not in Label Studio; `selvedge handsoff ask` with the same pictures opens "
            "it again."
        )
    asked = {picture.key: picture for picture in request.pictures}
    sources: dict[str, dict[str, Any]] = {}
    skipped = regions = 0
    with written_whole(out, "labels") as part:
        for task in server.pull_drawings(project, progress):
            picture = asked.pop(task.key or "", None)
            drawing = newest(task)
            if picture is None or drawing is None:
                skipped += picture is not None and any(each.cancelled for each in task.drawings)
                continue
            _write(part, picture, task, drawing, request)
            sources[picture.name] = {"annotation": drawing.annotation_id, "annotator": drawing.rater_id}
            regions += len(regions_of(drawing.result))
        if not sources:
            raise SelvedgeError(
                f"nobody has labelled a picture of project {project} yet ({len(request.pictures)} asked, {skipped} "
                f"skipped); open {server.project_url(project)} and run again."
            )
        names = sorted(sources)
        kinds = LabelKinds(request.classes)
        (part / LABELS_FILE).write_text(labels_json(kinds, {name: {} for name in names}), encoding="utf-8")
        about = {"format": FORMAT, "request": request.digest, "pictures": {name: sources[name] for name in names}}
        (part / COLLECTED_FILE).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    people = len({source["annotator"] for source in sources.values()})
    total = len(request.pictures)
    return CollectedLabels(total, len(sources), skipped, total - len(sources) - skipped, people, regions)


def newest(task: DrawnTask) -> Drawing | None:
    """The annotation of a picture that counts; None where there is none."""
    submitted = [each for each in task.drawings if not each.cancelled and regions_of(each.result)]
    return max(submitted, key=lambda each: (each.updated_at, each.annotation_id), default=None)


def _write(part: Path, picture: AskedPicture, task: DrawnTask, drawing: Drawing, request: LabelRequest) -> None:
    where = f"picture {picture.name}, annotation {drawing.annotation_id}"
    mask = mask_of(drawing.result, request.classes, (picture.width, picture.height), where)
    shown = _content(picture, task.data.get(IMAGE))
    for name, content in ((f"images/{picture.name}.jpg", shown), (f"masks/{picture.name}.png", png_bytes(mask))):
        file = part / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def _content(picture: AskedPicture, shown: Any) -> bytes:
    """The picture that was drawn on, which must be the one that was asked about."""
    content = b""
    if isinstance(shown, str) and shown.startswith(JPEG) and len(shown) <= 2 * Limits().image_bytes:
        try:
            content = base64.b64decode(shown.removeprefix(JPEG), validate=True)
        except binascii.Error:
            content = b""
    if hashlib.sha256(content).hexdigest() != picture.sha256:
        raise SelvedgeError(
            f"picture {picture.name} is not the one in Label Studio that was asked about; delete the project there, "
            "and ask again."
        )
    return content
