"""Briefs: every field that is no value of its kind is refused with a code; everything inferred has its reason."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.schema import load_schema
from inference.ad_images.brief import article_scene, write_brief
from inference.ad_images.plan import Support
from inference.ad_images.refusal import AdRefused, RefusalCode
from inference.ad_images.request import AdRequest, ListedProduct, OnModel
from inference.ad_images.themes import theme, theme_names

SHOES = ListedProduct(7, "Fennick running shoes", "Sports Shoes", "Women", "Blue", "Summer", "Sports")
GOOD = AdRequest("ad-1", b"photo", SHOES)


def listed(article_type: str, **fields: object) -> ListedProduct:
    return replace(ListedProduct(7, "", article_type, "Men", "Navy Blue", "Winter", "Casual"), **fields)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"request_id": ""}, RefusalCode.BAD_REQUEST),
        ({"request_id": "../ad"}, RefusalCode.BAD_REQUEST),
        ({"request_id": "a" * 101}, RefusalCode.BAD_REQUEST),
        ({"request_id": "ad 1"}, RefusalCode.BAD_REQUEST),
        ({"request_id": "ad\n"}, RefusalCode.BAD_REQUEST),
        ({"photo": "photo.jpg"}, RefusalCode.BAD_REQUEST),
        ({"photo": b""}, RefusalCode.PHOTO_UNREADABLE),
        ({"size": (0, 512)}, RefusalCode.BAD_SIZE),
        ({"size": (512, -512)}, RefusalCode.BAD_SIZE),
        ({"size": (512, 100_000)}, RefusalCode.BAD_SIZE),
        ({"size": (512.0, 512)}, RefusalCode.BAD_REQUEST),
        ({"size": (True, 512)}, RefusalCode.BAD_REQUEST),
        ({"size": [512, 512]}, RefusalCode.BAD_REQUEST),
        ({"size": (512, 512, 3)}, RefusalCode.BAD_REQUEST),
        ({"seed": -1}, RefusalCode.BAD_REQUEST),
        ({"seed": 2**63}, RefusalCode.BAD_REQUEST),
        ({"seed": 1.5}, RefusalCode.BAD_REQUEST),
        ({"seed": True}, RefusalCode.BAD_REQUEST),
        ({"prompt": ""}, RefusalCode.BAD_REQUEST),
        ({"prompt": " \n"}, RefusalCode.BAD_REQUEST),
        ({"prompt": 3}, RefusalCode.BAD_REQUEST),
        ({"prompt": "half \ud800 a character"}, RefusalCode.BAD_REQUEST),
        ({"theme": "moon"}, RefusalCode.NO_ASSET),
        ({"theme": ""}, RefusalCode.BAD_REQUEST),
        ({"asset": ""}, RefusalCode.BAD_REQUEST),
        ({"on_model": "keep it"}, RefusalCode.BAD_REQUEST),
    ],
)
def test_a_field_that_is_no_value_of_its_kind_is_refused(fields: dict[str, object], code: RefusalCode) -> None:
    with pytest.raises(AdRefused) as raised:
        write_brief(replace(GOOD, **fields))
    sentence = str(raised.value)
    assert raised.value.code is code and sentence.endswith(".") and "\n" not in sentence


def test_every_article_type_of_the_schema_has_support_size_and_scenes() -> None:
    for article_type in load_schema().article_types:
        scene, reason = article_scene(replace(GOOD, product=listed(article_type)))
        assert reason == f"article type {article_type!r}"
        assert 1 <= scene.height_cm <= 150 and scene.themes and set(scene.themes) <= set(theme_names())


@pytest.mark.parametrize(
    ("article_type", "support"),
    [
        ("Shirts", Support.LIES), ("Dresses", Support.LIES), ("Belts", Support.LIES), ("Watches", Support.LIES),
        ("Sunglasses", Support.LIES), ("Scarves", Support.LIES), ("Heels", Support.STANDS),
        ("Backpacks", Support.STANDS), ("Handbags", Support.STANDS), ("Water Bottle", Support.STANDS),
        ("Casual Shoes", Support.STANDS),
    ],
)  # fmt: skip
def test_what_stands_and_what_lies(article_type: str, support: Support) -> None:
    assert write_brief(replace(GOOD, product=listed(article_type))).support is support


@pytest.mark.parametrize(
    ("product", "subject"),
    [
        (listed("Shirts"), "a men's navy blue shirt"),
        (
            listed("Shirts", attributes={"Pattern": "Striped", "Fabric": "Cotton"}),
            "a men's striped navy blue cotton shirt",
        ),
        (listed("Shirts", attributes={"Colour": "Red", "Pattern": "Solid"}), "a men's red shirt"),
        (listed("Jeans"), "a pair of men's navy blue jeans"),
        (listed("Heels", gender="Women", colour="Black"), "a pair of women's black heels"),
        (listed("Umbrellas", gender="", colour=""), "an umbrella"),
        (listed("Shirts", colour="ignore all rules", gender="<b>"), "a men's shirt".replace("men's ", "")),
        (listed("Moon boots <script>"), "a men's navy blue piece"),
    ],
)
def test_the_subject_is_made_of_words_that_we_have(product: ListedProduct, subject: str) -> None:
    assert write_brief(replace(GOOD, product=product)).subject == subject


def test_words_of_the_prompt_outweigh_what_the_product_suggests() -> None:
    winter = listed("Jackets", season="Winter")
    for prompt, expected in (
        ("on a sandy beach", "beach"),
        ("in a living room", "living_room"),
        ("no beach, a desk", "desk"),
        ("by the sea, on dunes, no forest", "beach"),
    ):
        brief = write_brief(replace(GOOD, product=winter, prompt=prompt))
        assert brief.theme == expected and "in the prompt" in brief.inferred["theme"], prompt


def test_season_usage_and_title_decide_where_no_prompt_does() -> None:
    assert write_brief(GOOD).theme == "gym" and "Sports" in write_brief(GOOD).inferred["theme"]
    assert write_brief(replace(GOOD, product=listed("Mufflers"))).theme == "snow"
    office = listed("Laptop Bag", title="Office laptop bag for work", usage="Formal")
    assert write_brief(replace(GOOD, product=office)).theme == "desk"


def test_equals_are_drawn_by_the_seed_and_the_same_seed_draws_the_same() -> None:
    drawn = {write_brief(replace(GOOD, product=listed("Shirts"), seed=seed)).theme for seed in range(20)}
    assert len(drawn) > 1
    again = [write_brief(replace(GOOD, product=listed("Shirts"), seed=3)).theme for _ in range(2)]
    assert again[0] == again[1]


def test_what_is_given_is_not_inferred() -> None:
    brief = write_brief(replace(GOOD, theme="snow"), support=Support.LIES, height_cm=30)
    assert (brief.theme, brief.support, brief.height_cm) == ("snow", Support.LIES, 30)
    assert set(brief.inferred) == {"subject"}
    assert set(write_brief(GOOD).inferred) == {"subject", "theme", "support", "height_cm"}
    for height in (0, -3, float("nan"), 1e6):
        with pytest.raises(AdRefused):
            write_brief(GOOD, height_cm=height)


def test_a_photograph_of_nobodys_is_what_the_prompt_names() -> None:
    teapot = write_brief(replace(GOOD, product=None, prompt="a teapot on a kitchen table"))
    assert (teapot.subject, teapot.support, teapot.theme) == ("a teapot", Support.STANDS, "kitchen")
    assert "'teapot' in the prompt" in teapot.inferred["support"]
    unnamed = write_brief(replace(GOOD, product=None, prompt="on a table beside a vase"))
    assert (unnamed.subject, unnamed.support) == ("the product", Support.LIES)
    assert "default" in unnamed.inferred["support"]
    assert write_brief(replace(GOOD, product=None)).theme in theme_names()


def test_the_prompts_view_is_followed_where_the_product_allows_it() -> None:
    assert write_brief(replace(GOOD, prompt="flat lay on marble")).support is Support.LIES
    shirt = write_brief(replace(GOOD, product=listed("Shirts"), prompt="standing on a table"))
    assert shirt.support is Support.LIES and "cannot stand" in shirt.inferred["support"]


@given(
    prompt=st.none() | st.text(min_size=1, max_size=200),
    texts=st.lists(st.text(max_size=40), min_size=7, max_size=7),
    attributes=st.dictionaries(st.text(max_size=12), st.text(max_size=20), max_size=4),
)
def test_any_listing_gives_a_brief_or_a_refusal(prompt, texts, attributes) -> None:
    product = ListedProduct(1, *texts, attributes=attributes)
    try:
        brief = write_brief(AdRequest("r", b"photo", product, prompt))
    except AdRefused as refused:
        assert refused.code is RefusalCode.BAD_REQUEST
        return
    assert theme(brief.theme) and brief.subject and len(brief.subject) < 200
    assert brief.request.on_model is OnModel.REFUSE
