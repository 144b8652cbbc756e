"""The prompt of the language-model writers: a versioned data file, filled in with one product's facts.

Belongs here: reading the file, rendering facts and corrections. Not here: sending it (bedrock.py, local_llm.py).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from catalog.errors import SelvedgeError
from inference.descriptions.facts import ProductFacts

SHIPPED = Path(__file__).parent / "prompts" / "product_description.yaml"


@dataclass(frozen=True)
class DescriptionPrompt:
    """A prompt file.

    Attributes:
        version: `<number>-<8 hex digits of the file>`, so that an edit without a new number still counts as a change.
    """

    version: str
    system: str
    user: str
    corrections: str
    max_output_tokens: int
    temperature: float

    def render(self, facts: ProductFacts, feedback: Sequence[str]) -> str:
        """The user's turn: the facts one a line, then what was wrong with the last draft."""
        lines = "\n".join(f"- {key.replace('_', ' ')}: {value}" for key, value in facts.values.items())
        reasons = "\n".join(f"- {reason}" for reason in feedback)
        corrections = self.corrections.replace("{reasons}", reasons) if feedback else ""
        # Not str.format: a catalogue's value may itself hold braces.
        return self.user.replace("{corrections}", corrections.rstrip()).replace("{facts}", lines).rstrip()


def load_prompt(path: Path | None = None) -> DescriptionPrompt:
    """The shipped prompt, or a shop's own.

    Raises:
        SelvedgeError: the file is missing, or lacks a part or a placeholder.
    """
    file = path or SHIPPED
    try:
        content = file.read_bytes()
        data = yaml.safe_load(content)
        prompt = DescriptionPrompt(
            version=f"{data['version']}-{hashlib.sha256(content).hexdigest()[:8]}",
            system=str(data["system"]).strip(),
            user=str(data["user"]),
            corrections=str(data["corrections"]),
            max_output_tokens=int(data["max_output_tokens"]),
            temperature=float(data["temperature"]),
        )
    except OSError as error:
        raise SelvedgeError(f"description prompt {file} cannot be read ({error.strerror}).") from error
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise SelvedgeError(f"description prompt {file} is incomplete ({error}); compare it with {SHIPPED}.") from error
    if "{facts}" not in prompt.user or "{corrections}" not in prompt.user or "{reasons}" not in prompt.corrections:
        raise SelvedgeError(
            f"description prompt {file} lacks {{facts}}, {{corrections}} or {{reasons}}; put them back."
        )
    return prompt
