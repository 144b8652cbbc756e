"""Guardrails of AWS: Comprehend and Rekognition, Bedrock's guardrail checks, a guardrail of the shop's own.

Belongs here: each service's own limits, its request, what in its answer refuses. Not here: clients, errors (../aws.py).

A service that does not answer refuses nothing and allows nothing: ServiceUnavailable goes on to the caller. Comprehend
reads English only, so a prompt of another language is refused there, and not sent.
"""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from catalog.errors import SelvedgeError, ServiceUnavailable
from catalog.files import jpeg_bytes
from catalog.pictures import Limits, standard_copy
from catalog.quarantine import Rejection
from inference.ad_images.aws import RequestRefused, ask
from inference.ad_images.guardrails.language import is_english
from inference.ad_images.refusal import AdRefused, RefusalCode

MOST_SEGMENTS, SEGMENT_BYTES = 10, 1024  # of DetectToxicContent
IMAGE_BYTES = 5 * 2**20  # of DetectModerationLabels
GUARDRAIL_IMAGE_BYTES = 4 * 2**20  # of ApplyGuardrail
INPUT_CODES = {
    "TextSizeLimitExceededException": RefusalCode.PROMPT_TOO_LONG,
    "UnsupportedLanguageException": RefusalCode.PROMPT_LANGUAGE,
    "InvalidImageFormatException": RefusalCode.PHOTO_UNREADABLE,
    "InvalidParameterException": RefusalCode.PHOTO_UNREADABLE,  # Rekognition of an image too small
    "ImageTooLargeException": RefusalCode.PHOTO_TOO_LARGE,
}
CATEGORIES = ("VIOLENCE", "HATE", "SEXUAL", "MISCONDUCT", "INSULTS")
ATTACKS = ("JAILBREAK", "PROMPT_INJECTION", "PROMPT_LEAKAGE")
# Top categories of Rekognition's taxonomy that no ad may show. Swimwear and alcohol are not among them.
UNSAFE_LABELS = frozenset(
    {
        "Explicit", "Explicit Nudity", "Non-Explicit Nudity of Intimate parts and Kissing", "Violence",
        "Visually Disturbing", "Hate Symbols", "Drugs & Tobacco", "Drugs", "Tobacco", "Rude Gestures", "Gambling",
    }
)  # fmt: skip


@dataclass(frozen=True)
class ComprehendGuardrail:
    """Toxicity of a prompt by DetectToxicContent.

    Attributes:
        client: of `comprehend`. most_toxic: overall toxicity from which a prompt is refused. limits: the same for one
            label, by its name ("PROFANITY").
    """

    client: Any
    most_toxic: float = 0.5
    limits: Mapping[str, float] = field(default_factory=dict)
    name: str = "comprehend"

    def check(self, prompt: str | None, photo: bytes) -> None:
        """As `Guardrail.check`; the photograph is not looked at."""
        if prompt is None:
            return
        if not is_english(prompt):
            raise AdRefused(
                RefusalCode.PROMPT_LANGUAGE,
                "Comprehend reads English prompts only, and this one does not look English; write it in English.",
            )
        segments = list(text_segments(prompt))
        if len(segments) > MOST_SEGMENTS:
            raise AdRefused(
                RefusalCode.PROMPT_TOO_LONG,
                f"the prompt has {len(prompt.encode()):,} bytes; Comprehend reads {MOST_SEGMENTS} x {SEGMENT_BYTES:,}.",
            )
        texts = [{"Text": segment} for segment in segments]
        with _input_refused():
            answer = ask(self.client, "DetectToxicContent", "Comprehend", TextSegments=texts, LanguageCode="en")
        results = answer.get("ResultList", [])
        if len(results) != len(segments) or any("Toxicity" not in result for result in results):
            raise ServiceUnavailable("Comprehend did not judge every part of the prompt; run again later.")
        for result in results:
            self._judge(result)

    def _judge(self, result: Mapping[str, Any]) -> None:
        labels = {label["Name"]: float(label["Score"]) for label in result.get("Labels", [])}
        worst = max(labels, key=lambda name: labels[name], default="toxicity")
        over = next((name for name, score in labels.items() if score >= self.limits.get(name, 2.0)), None)
        if over is not None or float(result["Toxicity"]) >= self.most_toxic:
            score = labels.get(over or worst, float(result["Toxicity"]))
            raise AdRefused(
                RefusalCode.TEXT_UNSAFE,
                f"Comprehend finds the prompt unsafe ({(over or worst).lower()} {score:.2f}); reword it.",
            )


@dataclass(frozen=True)
class RekognitionGuardrail:
    """What a photograph shows, by DetectModerationLabels.

    Attributes:
        client: of `rekognition`. min_confidence: percent from which a label counts. refused: labels, or parents of
            labels, that no ad may show.
    """

    client: Any
    min_confidence: float = 60.0
    refused: frozenset[str] = UNSAFE_LABELS
    name: str = "rekognition"

    def check(self, prompt: str | None, photo: bytes) -> None:
        """As `Guardrail.check`; the prompt is not read. A larger or other file is judged by a copy it can read."""
        image = {"Bytes": readable_copy(photo, IMAGE_BYTES, "Rekognition")}
        with _input_refused():
            answer = ask(
                self.client, "DetectModerationLabels", "Rekognition", Image=image, MinConfidence=self.min_confidence
            )
        if "ModerationLabels" not in answer:
            raise ServiceUnavailable("Rekognition did not judge the photograph; run again later.")
        for label in answer["ModerationLabels"]:
            if {label.get("Name", ""), label.get("ParentName", "")} & self.refused:
                raise AdRefused(
                    RefusalCode.PHOTO_UNSAFE,
                    f"Rekognition finds {label['Name']!r} in the photograph ({label.get('Confidence', 0):.0f} %); "
                    "give another one.",
                )


@dataclass(frozen=True)
class BedrockChecksGuardrail:
    """Content and prompt attacks by InvokeGuardrailChecks, which needs no guardrail to be made first.

    Attributes:
        client: of `bedrock-runtime`. most_severe: severity (0 to 1) from which a prompt is refused.
    """

    client: Any
    most_severe: float = 0.5
    categories: tuple[str, ...] = CATEGORIES
    attacks: tuple[str, ...] = ATTACKS
    name: str = "bedrock-checks"

    def check(self, prompt: str | None, photo: bytes) -> None:
        """As `Guardrail.check`; the photograph is not looked at."""
        if prompt is None:
            return
        answer = ask(self.client, "InvokeGuardrailChecks", "Bedrock's guardrail checks", **self.request(prompt))
        results = answer["results"]
        for kind, asked, code in (
            ("contentFilter", self.categories, RefusalCode.TEXT_UNSAFE),
            ("promptAttack", self.attacks, RefusalCode.PROMPT_INSTRUCTS),
        ):
            severities = {
                each["category"]: float(each["severityScore"]) for each in results.get(kind, {}).get("results", [])
            }
            if not set(asked) <= set(severities):
                raise ServiceUnavailable("Bedrock's guardrail checks did not judge every category; run again later.")
            worst = max(asked, key=lambda category: severities[category])
            if severities[worst] >= self.most_severe:
                raise AdRefused(
                    code,
                    f"Bedrock's checks refuse the prompt ({worst.lower()} {severities[worst]:.2f}); reword it.",
                )

    def request(self, prompt: str) -> dict[str, Any]:
        """The body of the request."""
        return {
            "messages": [{"role": "user", "content": [{"text": prompt}]}],
            "checks": {
                "contentFilter": {"categories": [{"category": category} for category in self.categories]},
                "promptAttack": {"categories": [{"category": category} for category in self.attacks]},
            },
        }


@dataclass(frozen=True)
class BedrockGuardrail:
    """A guardrail that the shop has made in Bedrock, by ApplyGuardrail, on prompt and photograph.

    Attributes:
        client: of `bedrock-runtime`. identifier, version: of the guardrail ("DRAFT" or a number).
    """

    client: Any
    identifier: str
    version: str = "DRAFT"
    name: str = "bedrock-guardrail"

    def check(self, prompt: str | None, photo: bytes) -> None:
        """As `Guardrail.check`."""
        if prompt is not None:
            self._apply({"text": {"text": prompt}}, "prompt")
        image = readable_copy(photo, GUARDRAIL_IMAGE_BYTES, "Bedrock's guardrail")
        kind = "png" if image.startswith(b"\x89PNG") else "jpeg"
        self._apply({"image": {"format": kind, "source": {"bytes": image}}}, "photograph")

    def _apply(self, content: Mapping[str, Any], what: str) -> None:
        answer = ask(
            self.client,
            "ApplyGuardrail",
            f"Bedrock guardrail {self.identifier}",
            guardrailIdentifier=self.identifier,
            guardrailVersion=self.version,
            source="INPUT",
            content=[content],
        )
        if answer["action"] == "NONE":
            return
        blocked = list(_blocked(answer["assessments"]))
        code = RefusalCode.PHOTO_UNSAFE if what == "photograph" else RefusalCode.TEXT_UNSAFE
        if what == "prompt" and blocked == ["PROMPT_ATTACK"]:
            code = RefusalCode.PROMPT_INSTRUCTS
        why = ", ".join(name.lower() for name in blocked) or "no reason given"
        raise AdRefused(code, f"Bedrock guardrail {self.identifier} refuses the {what} ({why}); change it.")


def _blocked(assessments: list[dict[str, Any]]) -> Iterator[str]:
    """Names of whatever blocked, each once, in the order of the answer."""
    lists = (
        ("contentPolicy", "filters", "type"),
        ("topicPolicy", "topics", "name"),
        ("wordPolicy", "managedWordLists", "type"),
        ("wordPolicy", "customWords", "match"),
        ("sensitiveInformationPolicy", "piiEntities", "type"),
    )
    seen = set()
    for assessment in assessments:
        for policy, entries, name in lists:
            for entry in assessment.get(policy, {}).get(entries, []):
                if entry["action"] != "NONE" and entry[name] not in seen:
                    seen.add(entry[name])
                    yield entry[name]


@contextmanager
def _input_refused() -> Iterator[None]:
    """What a service says of the prompt or the photograph itself, as the caller's refusal."""
    try:
        yield
    except RequestRefused as refused:
        if refused.code in INPUT_CODES:
            raise AdRefused(INPUT_CODES[refused.code], f"{refused} Change the prompt or the photograph.") from refused
        raise


def text_segments(text: str) -> Iterator[str]:
    """The text in pieces of at most 1,024 bytes of UTF-8, parted between words where it can be."""
    rest = text
    while rest:
        piece = rest.encode()[:SEGMENT_BYTES].decode(errors="ignore")
        if len(piece) < len(rest):
            space = piece.rfind(" ")
            piece = piece[: space + 1] if space > 0 else piece
        if piece.strip():
            yield piece
        rest = rest[len(piece) :]


def readable_copy(photo: bytes, most_bytes: int, what: str) -> bytes:
    """The photograph itself where it is a JPEG or PNG within the limit, else a JPEG of it, smaller by halves.

    Raises:
        AdRefused: it cannot be read.
    """
    if len(photo) <= most_bytes and photo.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")):
        return photo
    try:
        copy = standard_copy(photo, Limits()).content
    except Rejection as rejection:
        raise AdRefused(
            RefusalCode.PHOTO_UNREADABLE,
            f"{what} cannot read the photograph ({rejection.detail:.200}); give a JPEG or PNG.",
        ) from rejection
    while len(copy) > most_bytes:
        with Image.open(io.BytesIO(copy)) as image:
            if min(image.size) < 2:
                raise SelvedgeError(f"{what} takes {most_bytes} bytes, and no picture is as small.")
            copy = jpeg_bytes(image.resize((image.width // 2, image.height // 2)), 85, subsampling=0)
    return copy
