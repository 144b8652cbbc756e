"""Bedrock batch: the drafts of a whole catalogue in a few jobs, for half the price, answered within a day.

Belongs here: which requests there are, their lines, the drafts in the answer's lines, handing them out. Not here: jobs
and files (orchestration/aws/description_batch.py), one request at a time (bedrock.py), the check (faithfulness.py).

Descriptions are made in two passes of the very loop that makes them otherwise (publish.py). In the first a writer that
only takes notes is asked, so it is asked for exactly what would be paid now. In the second a writer hands out what the
batch answered; a draft that the check turned down, and one that the batch could not give, falls to the grammar writer.
A record is named after its request, so an answer is found by asking the same again, in whatever order lines come, and
products of equal facts are paid once.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from catalog.errors import ServiceUnavailable
from inference.descriptions.bedrock import FINISHED, BedrockWriter, Budget
from inference.descriptions.facts import ProductFacts
from inference.descriptions.prompting import DescriptionPrompt
from inference.descriptions.writer import Draft

NAME_DIGITS = 24


class _OfBatch:
    """What both writers share: they are stamped as the one that asks a request at a time, for their texts are alike."""

    name = BedrockWriter.name

    def __init__(self, model_id: str, prompt: DescriptionPrompt) -> None:
        self.model_version = model_id
        self.prompt_version = prompt.version
        self._writer = BedrockWriter(None, model_id, prompt, Budget(0, 0.0, 0.0, 0.0))

    def record(self, facts: ProductFacts) -> tuple[str, dict[str, Any]]:
        """A request's name and its body, as Converse takes it but for the model."""
        body = self._writer.request(facts)
        del body["modelId"]
        text = json.dumps(body, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:NAME_DIGITS], body


class NoteTaker(_OfBatch):
    """Notes what it is asked for and writes nothing. Attributes: records (body by name)."""

    def __init__(self, model_id: str, prompt: DescriptionPrompt) -> None:
        super().__init__(model_id, prompt)
        self.records: dict[str, dict[str, Any]] = {}

    def write(self, facts: ProductFacts, feedback: Sequence[str]) -> Draft:
        """An empty draft, which no check accepts; the first request of a product is noted, its corrections are not."""
        if not feedback:
            name, body = self.record(facts)
            self.records[name] = body
        return Draft("")


class BatchWriter(_OfBatch):
    """Hands out what a batch answered."""

    def __init__(self, model_id: str, prompt: DescriptionPrompt, drafts: Mapping[str, Draft]) -> None:
        super().__init__(model_id, prompt)
        self._drafts = drafts

    def write(self, facts: ProductFacts, feedback: Sequence[str]) -> Draft:
        """The draft of the batch; an empty one where it gave none, and for corrections, which no batch has seen."""
        return Draft("") if feedback else self._drafts.get(self.record(facts)[0], Draft(""))


def lines_of(records: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The lines of an input file."""
    for name, body in records.items():
        yield json.dumps({"recordId": name, "modelInput": body}, ensure_ascii=False)


def drafts_of(lines: Iterable[str], where: str) -> tuple[dict[str, Draft], dict[str, str]]:
    """The drafts of an output file by name, and why a record has none, by name.

    Raises:
        ServiceUnavailable: a line that is no answer at all.
    """
    drafts: dict[str, Draft] = {}
    wrong: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            answer = json.loads(line)
            name = str(answer["recordId"])
            if "error" in answer or "modelOutput" not in answer:
                error = answer.get("error") or {}
                wrong[name] = str(error.get("errorMessage") or error.get("errorCode") or "no answer")[:200]
                continue
            output = answer["modelOutput"]
            text, used = _text(output), output["usage"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ServiceUnavailable(
                f"{where} line {number} is no answer of Bedrock ({error}); fetch it again."
            ) from error
        if output.get("stopReason") not in FINISHED or not text:
            wrong[name] = f"the answer ended with {output.get('stopReason')}"
            continue
        drafts[name] = Draft(text, tokens_in=int(used["inputTokens"]), tokens_out=int(used["outputTokens"]))
    return drafts, wrong


def _text(output: Mapping[str, Any]) -> str:
    blocks = output["output"]["message"]["content"]
    return " ".join(" ".join(block["text"] for block in blocks if "text" in block).split()).strip('"“”')
