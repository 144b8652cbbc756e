"""Candidates: what a candidate is trained from, fixed on the day it is opened.

Belongs here: the opening's record and its name. Not here: how the training goes (families/).

The record is written before the partition exists and never again. A candidate that is resumed after a kill, or after
new drops have arrived, is therefore trained from what it was opened with.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from catalog.errors import SelvedgeError
from catalog.files import json_sha256
from catalog.stores import is_there, stored_bytes
from orchestration.assets.partitions import candidate_key, candidate_partitions

if TYPE_CHECKING:
    from upath import UPath

    from orchestration.assets.published import Tables

RECORD_FORMAT = 1
REASON_TAG = "selvedge/reason"  # of the run that prepared a training: why it was asked for


@dataclass(frozen=True)
class Opening:
    """What a candidate is trained from.

    Attributes:
        settings: the training settings, as plain data.
        dataset_sha256: over every row and picture that training reads.
        dataset: what is needed to find them again, e.g. the drops.
        reason: why it was opened; "" where a person asked. It is no part of what the candidate is.
    """

    family: str
    settings: Mapping[str, Any]
    dataset_sha256: str
    dataset: Mapping[str, Any]
    reason: str = ""

    @property
    def fingerprint(self) -> str:
        """Hexadecimal; equal for equal settings on equal data."""
        return json_sha256([self.family, self.settings, self.dataset_sha256])


def name_candidate(instance: dg.DagsterInstance, opening: Opening) -> str:
    """The candidate of an opening: the one there is, else a new name with today's date."""
    taken = set(instance.get_dynamic_partitions(candidate_partitions(opening.family).name or ""))
    return candidate_key(opening.family, opening.fingerprint, datetime.now().astimezone().strftime("%Y%m%d"), taken)


def record_opening(tables: "Tables", candidate: str, opening: Opening) -> None:
    """Write the record, unless the candidate has one."""
    from catalog.tables import publish_bytes

    path = _record(tables, opening.family, candidate)
    if not is_there(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {"format": RECORD_FORMAT, "candidate": candidate, **asdict(opening)}
        publish_bytes(json.dumps(content, indent=1, sort_keys=True).encode(), path)


def read_opening(tables: "Tables", family: str, candidate: str) -> Opening:
    """What a candidate was opened with.

    Raises:
        SelvedgeError: it was never opened; somebody typed its name.
    """
    path = _record(tables, family, candidate)
    if not is_there(path):
        raise SelvedgeError(
            f"candidate {candidate} was never opened ({path} is missing); run the training job of {family}, "
            "which opens one for the present data and settings."
        )
    content = json.loads(stored_bytes(path))
    # What lies in the home is named by its whole path, and the home may have been moved.
    places = {
        name: tables.standing(value) if isinstance(value, str) else value for name, value in content["dataset"].items()
    }
    reason = content.get("reason", "")  # an older Selvedge wrote none
    return Opening(family, content["settings"], content["dataset_sha256"], places, reason)


def _record(tables: "Tables", family: str, candidate: str) -> "UPath":
    return tables.path(f"candidates/{family}", candidate).with_suffix(".json")
