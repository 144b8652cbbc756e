"""The local guardrail: word lists, patterns and a look at the photograph; no service, no download.

Belongs here: the order of the rules, the sentences of its refusals. Not here: any rule (instructions.py, words.py,
photographs.py).

A prompt that is there and says nothing is refused: a caller that means "no prompt" leaves it out.
"""

from collections.abc import Iterable

from catalog.pictures import Limits
from inference.ad_images.guardrails.instructions import hidden_instruction
from inference.ad_images.guardrails.normalising import plain
from inference.ad_images.guardrails.photographs import MOST_SKIN, check_photograph
from inference.ad_images.guardrails.words import (
    OtherBrands,
    person_asked_for,
    unsafe_categories,
    unsafe_category,
)
from inference.ad_images.refusal import AdRefused, RefusalCode

NEVER_SAID = frozenset(("hate", "minors"))  # in no comment either, which is kept in recipes
MOST_PROMPT = 1024  # characters, as of a caption; generators read no more


class LocalGuardrail:
    """Rules that need nothing but this folder.

    Args:
        own_brand: the product's, which a prompt may name, or several names. catalogue_brands: others of the shop.
        limits: of the photograph's file. most_skin: share of skin-coloured area that a photograph may have.
    """

    name = "local"

    def __init__(
        self,
        own_brand: str | Iterable[str] = "",
        catalogue_brands: Iterable[str] = (),
        limits: Limits | None = None,
        most_skin: float = MOST_SKIN,
        most_prompt: int = MOST_PROMPT,
    ) -> None:
        self._brands = OtherBrands(own_brand, catalogue_brands)
        self._limits = limits or Limits()
        self._most_skin = most_skin
        self._most_prompt = most_prompt

    def check(self, prompt: str | None, photo: bytes) -> None:
        """As `Guardrail.check`."""
        if prompt is not None:
            self.check_prompt(prompt)
        check_photograph(photo, self._limits, self._most_skin)

    def check_prompt(self, prompt: str) -> None:
        """Raises AdRefused where a prompt may not be used."""
        if len(prompt) > self._most_prompt:
            raise AdRefused(
                RefusalCode.PROMPT_TOO_LONG,
                f"the prompt has {len(prompt):,} characters; {self._most_prompt:,} are read, so shorten it.",
            )
        if not prompt.strip():
            raise AdRefused(
                RefusalCode.BAD_REQUEST, "the prompt is empty; write what the picture should show, or leave it out."
            )
        hidden = hidden_instruction(prompt)
        if hidden is not None:
            raise AdRefused(
                RefusalCode.PROMPT_INSTRUCTS,
                f"the prompt holds {hidden}; describe the picture in plain words.",
            )
        if not any(character.isalnum() for character in plain(prompt)):
            raise AdRefused(
                RefusalCode.BAD_REQUEST,
                "the prompt holds no word; write what the picture should show, or leave it out.",
            )
        self._check_words(prompt)

    def _check_words(self, prompt: str) -> None:
        category = unsafe_category(prompt)
        if category is not None:
            raise AdRefused(
                RefusalCode.TEXT_UNSAFE, f"the prompt holds words that no ad may be made for ({category}); reword it."
            )
        brand = self._brands.named(prompt)
        if brand is not None:
            raise AdRefused(
                RefusalCode.OTHER_BRAND, f"the prompt names {brand}, which is not the product's brand; leave it out."
            )
        person = person_asked_for(self._brands.without_own(prompt))
        if person is not None:
            raise AdRefused(
                RefusalCode.ASKS_FOR_PERSON,
                f"the prompt asks for a person ({person!r}), and ads show the product alone; leave people out.",
            )


def check_comment(comment: str) -> None:
    """Nothing where a reviewer's comment may be read; the words of it that enter a caption pass as a prompt besides.

    Closed rules read the rest: it may give orders, and speak of persons and brands that are to go ("remove the man").

    Raises:
        AdRefused: prompt_instructs, text_unsafe.
    """
    hidden = hidden_instruction(comment, of_comment=True)
    if hidden is not None:
        raise AdRefused(
            RefusalCode.PROMPT_INSTRUCTS, f"the comment holds {hidden}; say what the picture needs in plain words."
        )
    category = next((each for each in unsafe_categories(comment) if each in NEVER_SAID), None)
    if category is not None:
        raise AdRefused(
            RefusalCode.TEXT_UNSAFE, f"the comment holds words that nobody is shown ({category}); reword it."
        )
