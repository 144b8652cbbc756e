"""States: the definition of the state machine, from its file and the limits of the guardrails.

Belongs here: reading both, filling in numbers and the refused labels. Not here: what the states do (ad_request.yaml),
names of what is deployed (request_api.py).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

DEFINITION = Path(__file__).with_name("ad_request.yaml")
LIMITS = Path(__file__).parents[1] / "limits.yaml"
RETRY_SECONDS = 2


def limits() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(LIMITS.read_text(encoding="utf-8"))
    return content


def definition() -> str:
    """The definition as JSON; what is deployed is still named like `${Requests}`."""
    content: dict[str, Any] = yaml.safe_load(DEFINITION.read_text(encoding="utf-8"))
    allowed = limits()
    numbers = {
        "${RetrySeconds}": RETRY_SECONDS,
        "${MostToxic}": allowed["most_toxic"],
        "${MinConfidence}": allowed["min_confidence"],
    }
    moderation = content["States"]["Guardrails"]["Branches"][1]["States"]["Labels"]["ItemProcessor"]["States"]
    moderation["May an ad show it"]["Choices"] = [
        _shown(variable, label) for label in allowed["unsafe_labels"] for variable in ("$.Name", "$.ParentName")
    ]
    return json.dumps(_filled(content, numbers), separators=(",", ":"))


def _shown(variable: str, label: str) -> dict[str, Any]:
    given = {"Variable": variable, "IsPresent": True}
    return {"And": [given, {"Variable": variable, "StringEquals": label}], "Next": "It may not"}


def _filled(value: Any, numbers: Mapping[str, float]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(each, numbers) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, numbers) for each in value]
    return numbers.get(value, value) if isinstance(value, str) else value
