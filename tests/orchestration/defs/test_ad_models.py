"""What the settings of ads reach: every model and place that they name is asked, stamped, and missed in a sentence."""

import base64
import io
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import SecretStr

from catalog.errors import SelvedgeError
from inference.ad_images.ad_rows import SqlAdMetadata
from inference.ad_images.dynamo_rows import create_table
from inference.ad_images.refusal import AdRefused
from inference.ad_images.result import AdResult
from orchestration.cli.doctor_command import _ads, _hosted_models
from orchestration.defs.inference import ad_models
from orchestration.defs.inference.ad_parts import (
    AdParts,
    ad_maker,
    ad_pipeline,
    require_named,
    stamps,
    update_media_index,
    workers,
)
from orchestration.runtime.settings import Settings
from tests.aws_front import DENIED, AwsFront, converse_answer, invoke_model_answer
from tests.inference.ad_images.shop import BAG, a_pipeline, a_request

MODEL = "anthropic.claude-1"
CAPTION = "A handbag on a paper sweep in a plain studio, standing upright, soft light, eye level, product photography"


@pytest.fixture
def front(monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsFront]:
    """Every client that is made goes to the front."""
    with AwsFront() as front:
        monkeypatch.setenv("AWS_ENDPOINT_URL", front.url)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        ad_models.segmenters.cache_clear()
        yield front
        ad_models.segmenters.cache_clear()
        ad_models.judge.cache_clear()


@pytest.fixture(scope="module")
def bag() -> AdResult:
    return a_pipeline().make(a_request(BAG))


def parts(tmp_path: Path, **settings: Any) -> AdParts:
    return AdParts.of(Settings(home=tmp_path / "home", **settings))


def conversation(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a model says to each of the four questions that ads ask."""
    tool = request.get("toolConfig", {}).get("tools", [{}])[0].get("toolSpec", {})
    fields = tool.get("inputSchema", {}).get("json", {}).get("properties", {})
    if "share" in fields:
        return converse_answer(tool_input={"share": 0.5})
    if "background" in fields:
        return converse_answer(tool_input={"product": "handbag", "background": ["studio"], "themes": []})
    if request["system"][0]["text"].startswith("You write captions"):
        return converse_answer(CAPTION)
    return converse_answer('{"answer": "no", "evidence": "the product alone"}')


def test_by_default_nobody_is_asked_and_old_stamps_stay(tmp_path: Path) -> None:
    usual = parts(tmp_path)
    pipeline = ad_pipeline(usual)
    asked = (pipeline.segmenters, pipeline.decomposer, pipeline.caption_writer, pipeline.sizes, pipeline.ask)
    assert asked == ((), None, None, None, None) and usual.hosted == ()
    assert set(stamps(usual)) == {"backdrop", "brand", "guardrails", "library"} and stamps(usual)["library"] == ""
    assert usual.rows == f"sqlite:///{tmp_path / 'home' / 'ads.db'}" and workers(usual, 2) == 2


def test_an_ad_on_a_photograph_is_stale_when_the_library_holds_something_else(tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    Image.radial_gradient("L").convert("RGB").save(library / "wall.png")
    listed = "file\tlicence\ttags\nwall.png\tCC0\t"
    named = parts(tmp_path, ad_backdrop="photographs", ad_library=str(library))
    with pytest.raises(SelvedgeError, match="materialise inference/media_index"):
        stamps(named)
    seen = []
    for tags in ("wall", "wall", "brick wall"):
        (library / "LICENCES.tsv").write_text(listed + tags)
        update_media_index(named, tmp_path / "sample", lambda *_: None)
        seen.append(stamps(named)["library"])
    moved = replace(named, library=str(library.rename(tmp_path / "elsewhere")))
    update_media_index(moved, tmp_path / "sample", lambda *_: None)
    assert seen[0] == seen[1] != seen[2] == stamps(moved)["library"]
    assert stamps(parts(tmp_path, ad_library=str(library)))["library"] == ""  # drawn: it decides nothing


def test_words_sizes_and_judge_are_asked_of_the_model_that_is_named(front: AwsFront, tmp_path: Path) -> None:
    named = parts(tmp_path, ad_words="bedrock", ad_sizes="bedrock", ad_judge="bedrock", ad_model=MODEL)
    front.answer("Converse", conversation)
    pipeline = replace(ad_pipeline(named), grid=a_pipeline().grid)
    result = pipeline.make(a_request(BAG, prompt="a handbag in the studio"))
    assert result.caption == CAPTION
    assert {judged.picture.placed.plan.scale for judged in result.attempts[0].judged} == {0.5}
    said = [finding for finding in result.pictures[0].findings if finding.unit == "yes/no"]
    assert {finding.guideline for finding in said} == {"unasked_person", "second_product", "belongs"}
    assert not any("the rules took" in reason for reason in result.reasons)
    assert {asked["modelId"] for asked in front.asked("Converse")} == {MODEL}
    assert {name: stamps(named)[name] for name in ("words", "sizes", "judge")} == dict.fromkeys(
        ("words", "sizes", "judge"), MODEL
    )
    assert workers(named, 2) == 1 and named.hosted == (MODEL,)


def test_rules_that_take_a_models_place_say_so(front: AwsFront, tmp_path: Path) -> None:
    named = parts(tmp_path, ad_words="bedrock", ad_sizes="bedrock", bedrock_model=MODEL)
    front.answer("Converse", converse_answer("I would rather talk about something else"))
    pipeline = replace(ad_pipeline(named), grid=a_pipeline().grid)
    told = [each for each in pipeline.make(a_request(BAG, prompt="on a table")).reasons if "took a model's" in each]
    assert len(told) == 3 and "no JSON" in told[0] and "captions failed" in told[1] and "no JSON" in told[2]


@pytest.mark.parametrize("share", [0.05, 1.5, "half", None, True])
def test_a_size_out_of_range_is_no_answer(front: AwsFront, bag: AdResult, share: Any) -> None:
    asker = ad_models.sizes("bedrock", "us-east-1", MODEL)
    assert asker is not None
    front.answer("Converse", converse_answer(tool_input={"share": share}))
    assert asker.share(bag.brief, bag.cutout, bag.caption) is None and len(front.asked("Converse")) == 2
    (image, text) = front.asked("Converse")[0]["messages"][0]["content"]
    assert Image.open(io.BytesIO(image["image"]["source"]["bytes"])).mode == "RGB" and "256 x 256" in text["text"]


@pytest.mark.parametrize("use", ["words", "sizes", "judge"])
def test_a_use_of_bedrock_without_a_model_is_refused_before_any_work(tmp_path: Path, use: str) -> None:
    named = parts(tmp_path, **{f"ad_{use}": "bedrock"})
    for refused in (ad_pipeline, lambda made: made.hosted):
        with pytest.raises(SelvedgeError, match=f"SELVEDGE_AD_{use.upper()} is bedrock.*set SELVEDGE_AD_MODEL"):
            refused(named)
    assert any("SELVEDGE_AD_MODEL" in sentence for sentence in require_named(named))


def test_bedrock_cuts_out_what_stands_before_a_busy_backdrop(front: AwsFront, tmp_path: Path) -> None:
    named = parts(tmp_path, ad_segmenter="bedrock")
    pixels = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    pixels[60:150, 50:160] = (170, 40, 30)
    alpha = np.zeros((200, 200), np.uint8)
    alpha[60:150, 50:160] = 255
    sink, photo = io.BytesIO(), io.BytesIO()
    Image.fromarray(np.dstack([pixels, alpha])).save(sink, "PNG")
    Image.fromarray(pixels).save(photo, "PNG")
    answer = {"images": [base64.b64encode(sink.getvalue()).decode()], "finish_reasons": [None]}
    front.answer("InvokeModel", invoke_model_answer(answer))
    (segmenter,) = ad_pipeline(named).segmenters
    assert segmenter.mask(pixels)[100, 100] == 1 and len(front.asked("InvokeModel")) == 1
    assert stamps(named)["segmenter"].startswith("bedrock stability.stable-image-remove-background")
    assert workers(named, 2) == 1


def test_an_onnx_file_needs_to_be_there_and_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ad_models.segmenters.cache_clear()
    named = parts(tmp_path, ad_segmenter=str(tmp_path / "u2netp.onnx"))
    with pytest.raises(SelvedgeError, match=r"u2netp\.onnx cannot be read .* give an ONNX file's path"):
        ad_pipeline(named)
    (tmp_path / "u2netp.onnx").write_bytes(b"weights")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    (sentence,) = require_named(named)
    assert "needs onnxruntime; run `pip install onnxruntime`" in sentence

    class Session:
        def __init__(self, content: bytes, providers: list[str]) -> None:
            if content != b"weights":
                raise RuntimeError("INVALID_PROTOBUF")

    monkeypatch.setitem(sys.modules, "onnxruntime", SimpleNamespace(InferenceSession=Session))
    assert list(require_named(named)) == [] and stamps(named)["segmenter"].startswith("u2netp ")
    ad_models.segmenters.cache_clear()
    (tmp_path / "u2netp.onnx").write_bytes(b"a page of HTML")
    with pytest.raises(SelvedgeError, match=r"no network that onnxruntime can read \(INVALID_PROTOBUF\); give another"):
        ad_pipeline(named)
    ad_models.segmenters.cache_clear()


def test_a_champion_that_is_not_there_cannot_judge(tmp_path: Path) -> None:
    with pytest.raises(SelvedgeError, match="champion, and attributes have none yet; promote one, or set none"):
        ad_pipeline(parts(tmp_path, ad_judge="champion"))


def test_a_prompt_may_name_the_products_own_brand_and_no_other_of_the_catalogue(tmp_path: Path) -> None:
    pipeline = ad_pipeline(replace(parts(tmp_path), brands=("Fennick", "Lindqvale", "Nike")))
    request = a_request(BAG)

    def named(prompt: str, brand: str = "Fennick", title: str = "Bag", listed: bool = True) -> str | None:
        assert request.product is not None
        product = replace(request.product, brand=brand, title=title) if listed else None
        try:
            pipeline.guardrail(replace(request, product=product)).check(prompt, request.photo)
        except AdRefused as refused:
            return str(refused.code)
        return None

    assert named("a Fennick box on a table") is None and named("a Lindqvale box on a table") == "other_brand"
    assert named("a Nike box on a table") == "other_brand" and named("a Nike box on a table", brand="Nike") is None
    assert named("a Nike box on a table", brand="", title="Nike Men Red Backpack") is None
    assert named("a Puma box on a table", brand="", title="Nike Men Red Backpack") == "other_brand"
    assert named("a Nike box on a table", listed=False) is None
    assert named("an Adidas box on a table", listed=False) == "other_brand"


def test_rows_lie_in_the_table_that_is_named(tmp_path: Path, bag: AdResult) -> None:
    from moto import mock_aws

    from inference.ad_images.aws import make_client

    named = parts(tmp_path, ad_rows=SecretStr("dynamodb:ads"))
    with mock_aws():
        with pytest.raises(SelvedgeError, match="DynamoDB has no table ads in this region; make it first"):
            ad_maker(named)
        (sentence,) = require_named(named)
        assert "make it first" in sentence
        create_table(make_client("dynamodb", "us-east-1"), "ads")
        maker = ad_maker(named)
        assert list(require_named(named)) == []
        kept = maker.store.keep(bag, "k" * 64, maker.pipeline.backdrop, maker.context)
        item = make_client("dynamodb", "us-east-1").scan(TableName="ads")["Items"]
        assert json.loads(item[0]["row"]["S"])["request_id"] == kept.request_id == f"ad-{BAG}"
        assert maker.store.stored(kept.request_id, "k" * 64) == kept and not (tmp_path / "home" / "ads.db").exists()
    assert isinstance(ad_models.rows(f"sqlite:///{tmp_path / 'a.db'}", "us-east-1"), SqlAdMetadata)
    assert "pa55" not in repr(parts(tmp_path, ad_rows=SecretStr("postgresql://anna:pa55@db/ads")))


def test_the_doctor_asks_after_every_hosted_model(front: AwsFront, tmp_path: Path) -> None:
    front.answer("GetFoundationModel", lambda asked: _ended(asked["modelIdentifier"]))
    home = Settings(home=tmp_path, ad_segmenter="bedrock", ad_backdrop="bedrock", ad_judge="bedrock", ad_model=MODEL)
    told = list(_hosted_models(home))
    assert len(told) == 3 and all("ended on 2020-01-01; choose another model" in sentence for sentence in told)
    assert list(_hosted_models(Settings(home=tmp_path))) == [] == list(_ads(Settings(home=tmp_path)))
    assert "there is no brand preset 'lifestile'" in next(_ads(Settings(home=tmp_path, ad_brand="lifestile")))
    front.fault("GetFoundationModel", DENIED)
    with pytest.raises(SelvedgeError, match="grant bedrock:GetFoundationModel"):
        list(_hosted_models(home))


def _ended(model: str) -> dict[str, Any]:
    from datetime import UTC, datetime

    life = {"status": "LEGACY", "endOfLifeTime": datetime(2020, 1, 1, tzinfo=UTC)}
    return {"modelDetails": {"modelArn": f"arn:aws:bedrock:us-east-1::foundation-model/{model}", "modelId": model}
            | {"modelLifecycle": life}}  # fmt: skip
