"""The local guardrail: every ordinary prompt passes, every attack is refused with its code, disguise or not."""

import io

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from catalog.drawn.garments import draw_garment
from catalog.drawn.spec import sample_spec
from catalog.pictures import Limits
from inference.ad_images.guardrails.guardrail import Guardrails
from inference.ad_images.guardrails.local import MOST_PROMPT, LocalGuardrail
from inference.ad_images.guardrails.normalising import plain
from inference.ad_images.guardrails.photographs import MOST_SKIN, check_photograph, skin_share
from inference.ad_images.guardrails.words import refused_words, unsafe_category
from inference.ad_images.refusal import AdRefused, RefusalCode
from tests.inference.ad_images.prompts_for_tests import attacks, ordinary_prompts

GUARDRAIL = LocalGuardrail("Fennick", ["Oakhurst Row", "Harrow & Pike", "Lindqvale"])
ALTERED = dict(zip("aeiost", ("@4", "3", "1!", "0", "$5", "7"), strict=True))


def code(prompt: str | None, guardrail: LocalGuardrail = GUARDRAIL) -> RefusalCode | None:
    try:
        guardrail.check_prompt(prompt)
    except AdRefused as refused:
        assert len(str(refused)) < 300 and str(refused).endswith(".") and "\n" not in str(refused)
        return refused.code
    return None


def encoded(pixels: np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, **options)
    return out.getvalue()


def product_photo(side: int = 96) -> np.ndarray:
    pixels = np.full((side, side, 3), 250, np.uint8)
    pixels[side // 4 : -side // 4, side // 4 : -side // 4] = (30, 60, 120)
    return pixels


def test_no_ordinary_prompt_is_refused() -> None:
    prompts = ordinary_prompts()
    assert len(prompts) > 300
    assert {prompt: code(prompt) for prompt in prompts if code(prompt)} == {}


def test_every_attack_is_refused_with_its_code() -> None:
    prompts = attacks()
    assert len(prompts) > 150
    assert {prompt: code(prompt) for prompt, earned in prompts if code(prompt) is not earned} == {}


@pytest.mark.parametrize(
    ("prompt", "earned"),
    [
        ("", RefusalCode.BAD_REQUEST),
        (" \n\t ", RefusalCode.BAD_REQUEST),
        ("...!?", RefusalCode.BAD_REQUEST),
        ("a beach " * 1250, RefusalCode.PROMPT_TOO_LONG),
        ("x" * (MOST_PROMPT + 1), RefusalCode.PROMPT_TOO_LONG),
        ("\u200b\u200b", RefusalCode.PROMPT_INSTRUCTS),
        ("a\x00b", RefusalCode.PROMPT_INSTRUCTS),
    ],
)
def test_prompts_that_say_nothing_or_too_much(prompt: str, earned: RefusalCode) -> None:
    assert code(prompt) is earned


def test_no_prompt_is_no_fault() -> None:
    GUARDRAIL.check(None, encoded(product_photo()))


@settings(max_examples=60)
@given(
    word=st.sampled_from(sorted(word for word in refused_words() if len(word) > 4 and word.isalpha())),
    disguise=st.sampled_from(["spaces", "dots", "stars", "digits", "wide", "capitals", "accents", "repeated"]),
    pick=st.integers(0, 3),
)
def test_a_refused_word_is_refused_in_every_disguise(word: str, disguise: str, pick: int) -> None:
    letters = list(word)
    if disguise in ("spaces", "dots", "stars"):
        text = {"spaces": " ", "dots": ".", "stars": "*"}[disguise].join(letters)
    elif disguise == "digits":
        assume(not set(word) <= set(ALTERED))  # without a letter it is a number or a price
        text = "".join(ALTERED.get(letter, letter)[pick % len(ALTERED.get(letter, letter))] for letter in letters)
    elif disguise == "wide":
        text = "".join(chr(ord(letter) + 0xFEE0) for letter in letters)
    elif disguise == "accents":
        text = "".join(f"{letter}\u0301" if letter in "aeiou" else letter for letter in letters)
    elif disguise == "repeated":
        text = "".join(letter * (3 if index == pick else 1) for index, letter in enumerate(letters))
    else:
        text = word.upper()
    assert unsafe_category(f"a table with {text} on it") is not None, text


@given(st.text(max_size=MOST_PROMPT + 10))
def test_any_prompt_passes_or_is_refused(prompt: str) -> None:
    assert code(prompt) in {None, *RefusalCode}


@given(st.lists(st.sampled_from([*attacks(), *ordinary_prompts()]), min_size=1, max_size=4))
def test_an_attack_among_ordinary_words_is_still_refused(parts: list) -> None:
    text = ", ".join(part if isinstance(part, str) else part[0] for part in parts)
    one_is_unsafe = any(isinstance(part, tuple) and part[1] is RefusalCode.TEXT_UNSAFE for part in parts)
    if one_is_unsafe and len(text) <= MOST_PROMPT:
        assert code(text) is not None


@given(st.text(max_size=200))
def test_plain_text_stays_plain(text: str) -> None:
    once = plain(text)
    assert plain(once) == plain(plain(once))


@pytest.mark.parametrize(
    ("prompt", "earned"),
    [
        ("beside a Lindqvale bag", RefusalCode.OTHER_BRAND),
        ("with the lindqvale logo", RefusalCode.OTHER_BRAND),
        ("next to a Harrow & Pike coat", RefusalCode.OTHER_BRAND),
        ("by Oakhurst Row", RefusalCode.OTHER_BRAND),
        ("a Fennick box on the table", None),
        ("the Fennick logo on the box", None),
        ("a mango and an apple", None),
        ("A Mango On A Wooden Table", None),
        ("Mango leaves by a window", None),
        ("a bag by Mango", RefusalCode.OTHER_BRAND),
        ("NIKE", RefusalCode.OTHER_BRAND),
    ],
)
def test_other_brands_are_refused_and_the_products_own_is_not(prompt: str, earned: RefusalCode | None) -> None:
    assert code(prompt) is earned


def test_a_product_of_a_famous_brand_may_name_it() -> None:
    puma = LocalGuardrail("Puma")
    assert code("a Puma box", puma) is None and code("a box of adidas", puma) is RefusalCode.OTHER_BRAND
    assert code("the north face logo", LocalGuardrail("The North Face")) is None


@pytest.mark.parametrize(
    ("prompt", "refused"),
    [
        ("a woman on a bench", True),
        ("a bench without a woman", False),
        ("no people, no hands", False),
        ("no snow, but a man", True),
        ("a men's shirt on a bench", False),
        ("men casual shoes on a bench", False),
        ("two men on a bench", True),
        ("a woman's hand", True),
        ("hand woven rug", False),
        ("the face of the watch", False),
        ("the face of a woman", True),
        ("kids playing football", True),
        ("an old fisherman", True),
        ("a Roman column and a German clock", False),
    ],
)
def test_persons_are_told_from_departments_and_from_what_is_denied(prompt: str, refused: bool) -> None:
    assert (code(prompt) is RefusalCode.ASKS_FOR_PERSON) == refused


@pytest.mark.parametrize(
    ("photo", "earned"),
    [
        (b"", RefusalCode.PHOTO_UNREADABLE),
        (b"hello", RefusalCode.PHOTO_UNREADABLE),
        (encoded(product_photo(200))[:400], RefusalCode.PHOTO_UNREADABLE),
        (encoded(product_photo(16)), RefusalCode.PHOTO_TOO_SMALL),
        (b"%PDF-1.7 " * 50, RefusalCode.PHOTO_UNREADABLE),
    ],
)
def test_photographs_that_cannot_be_used(photo: bytes, earned: RefusalCode) -> None:
    with pytest.raises(AdRefused) as raised:
        check_photograph(photo)
    assert raised.value.code is earned


def test_a_photograph_over_the_limits_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(AdRefused) as raised:
        check_photograph(encoded(product_photo()), Limits(pixels=100))
    assert raised.value.code is RefusalCode.PHOTO_TOO_LARGE
    with pytest.raises(AdRefused) as raised:
        check_photograph(encoded(product_photo()), Limits(image_bytes=10))
    assert raised.value.code is RefusalCode.PHOTO_TOO_LARGE


def test_photographs_of_every_kind_of_file_pass() -> None:
    pixels = product_photo()
    rgba = np.dstack([pixels, np.full(pixels.shape[:2], 128, np.uint8)])
    cmyk = io.BytesIO()
    Image.fromarray(pixels).convert("CMYK").save(cmyk, "JPEG")
    deep = io.BytesIO()
    Image.fromarray(np.linspace(0, 65535, 96 * 96).astype(np.uint16).reshape(96, 96)).save(deep, "PNG")
    phone = io.BytesIO()  # a JPEG that carries a second view of itself
    views = [Image.fromarray(pixels), Image.fromarray(255 - pixels)]
    views[0].save(phone, "MPO", save_all=True, append_images=views[1:])
    still = encoded(pixels, "GIF")
    for photo in (encoded(rgba), cmyk.getvalue(), deep.getvalue(), still, phone.getvalue(), encoded(pixels, "WEBP")):
        check_photograph(photo)


def test_of_an_animation_nobody_knows_which_picture_is_meant() -> None:
    frames = [Image.fromarray(product_photo()), Image.fromarray(255 - product_photo())]
    for kind in ("GIF", "WEBP", "PNG"):
        moving = io.BytesIO()
        frames[0].save(moving, kind, save_all=True, append_images=frames[1:])
        with pytest.raises(AdRefused, match="an animation of 2 pictures") as raised:
            check_photograph(moving.getvalue())
        assert raised.value.code is RefusalCode.PHOTO_UNREADABLE


def test_mostly_bare_skin_is_refused_and_drawn_garments_are_not() -> None:
    skin = np.full((96, 96, 3), 250, np.uint8)
    skin[5:-5, 5:-5] = (205, 150, 120)
    with pytest.raises(AdRefused) as raised:
        check_photograph(encoded(skin))
    assert raised.value.code is RefusalCode.PHOTO_UNSAFE
    shares = [
        skin_share(Image.fromarray(np.asarray(draw_garment(sample_spec(7, number, style), 64, parts=False).image)))
        for style in ("studio", "atelier")
        for number in range(12)
    ]
    assert max(shares) <= MOST_SKIN


def test_one_refusal_ends_a_combination() -> None:
    class Never:
        name = "never"

        def check(self, prompt: str | None, photo: bytes) -> None:
            raise AssertionError("asked although the first refused")

    with pytest.raises(AdRefused):
        Guardrails([GUARDRAIL, Never()]).check("a fucking beach", b"")
