"""Refusals: why no ad is made of a request, as a code that a caller can show and one sentence.

Belongs here: the codes. Not here: what finds them (guardrails/, cutouts/, backdrops/).
"""

from enum import StrEnum

from catalog.errors import SelvedgeError


class RefusalCode(StrEnum):
    """Kept stable: callers store and show them."""

    BAD_REQUEST = "bad_request"  # a field that is no value of its kind
    NO_PRODUCT = "no_product"  # no product of this id, or none in the photograph
    PROMPT_TOO_LONG = "prompt_too_long"
    PROMPT_INSTRUCTS = "prompt_instructs"  # instructions or markup hidden in a prompt
    PROMPT_LANGUAGE = "prompt_language"  # a guardrail's service cannot read it
    TEXT_UNSAFE = "text_unsafe"
    ASKS_FOR_PERSON = "asks_for_person"
    OTHER_BRAND = "other_brand"
    PHOTO_UNREADABLE = "photo_unreadable"
    PHOTO_UNSAFE = "photo_unsafe"
    PHOTO_TOO_SMALL = "photo_too_small"
    PHOTO_TOO_LARGE = "photo_too_large"
    CUTOUT_UNCERTAIN = "cutout_uncertain"  # two methods disagree
    ON_MODEL = "on_model"  # a person wears the product, and the policy refuses that
    PRODUCT_CUT = "product_cut"  # by the photograph's frame
    NOT_A_PRODUCT = "not_a_product"  # a sheet of many things, a label, a blank
    BAD_BRAND = "bad_brand"  # a brand file that cannot be read
    NO_ASSET = "no_asset"  # nothing in the library, no drawn scene, for this theme
    NO_LICENCE = "no_licence"
    BACKEND_MISSING = "backend_missing"  # weights, credentials or a package
    BAD_SIZE = "bad_size"  # the backend cannot paint it
    PRODUCT_MOVED = "product_moved"  # a backend returned it elsewhere than where it was placed
    NOTHING_PASSED = "nothing_passed"  # quality control, after all retries


class AdRefused(SelvedgeError):
    """No picture is made, for this reason; nothing is stored but the refusal.

    Args:
        code: for programs. sentence: for people; names what is wrong and the remedy.
    """

    def __init__(self, code: RefusalCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
