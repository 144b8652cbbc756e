"""The base: architecture of both profiles, digests, and one sentence where weights are missing."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model

from catalog.errors import SelvedgeError
from training.blip2.base import Base, build_model, load_base, save_base
from training.blip2.profiles import FLAN_T5_XL, TINY, find_profile
from training.blip2.tokenizer import encode, train_tokenizer

BYTES_SHIPPED = 15_000_000


def test_full_size_has_the_published_numbers():
    with torch.device("meta"):
        model = build_model(FLAN_T5_XL)
        total = sum(parameter.numel() for parameter in model.parameters())
        config = LoraConfig(r=8, lora_alpha=32, target_modules=list(FLAN_T5_XL.lora_targets))
        adapted = get_peft_model(model.language_model, config)
    modules = [module for module in adapted.modules() if hasattr(module, "lora_A")]
    trained = sum(parameter.numel() for parameter in adapted.parameters() if parameter.requires_grad)
    assert (len(modules), trained) == (144, 4_718_592)
    assert f"{(total + trained) / 1e9:.2f}" == "3.88"
    # T5 1.1 does not scale what the output layer reads; losing that would flatten every probability.
    assert model.language_model.config.scale_decoder_outputs is False


def test_tiny_fits_what_may_be_shipped():
    with torch.device("meta"):
        model = build_model(TINY)
    assert 2 * sum(parameter.numel() for parameter in model.parameters()) < BYTES_SHIPPED - 100_000


def test_query_tokens_differ_from_the_start():
    queries = build_model(TINY).query_tokens[0]
    assert torch.pdist(queries).min() > 0


def test_absent_weights_and_unknown_profiles_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("SELVEDGE_MODELS", str(tmp_path))
    with pytest.raises(SelvedgeError, match=r"Salesforce/blip2-flan-t5-xl \(revision 0eb0d3b.*SELVEDGE_MODELS"):
        load_base("flan-t5-xl")
    with pytest.raises(SelvedgeError, match="make base"):
        load_base("tiny")
    with pytest.raises(SelvedgeError, match="profile 'huge' is unknown"):
        find_profile("huge")


def test_a_saved_base_comes_back_the_same(base: Base, tmp_path: Path):
    digest = save_base(
        tmp_path / "b", base.model, base.tokenizer, base.preprocessing, base.prompt, {}, profile=base.profile
    )
    again = load_base(tmp_path / "b")
    assert (again.digest, again.vision_digest) == (digest, base.vision_digest) == (base.digest, base.vision_digest)
    pixels = torch.randn(2, 3, 64, 64)
    ids = torch.tensor([[3] * 8 + [40, 50, 60]] * 2)
    labels = torch.tensor([[70, 80, 1]] * 2)
    with torch.no_grad():
        assert torch.equal(
            base.model(pixels, ids, labels=labels).logits, again.model(pixels, ids, labels=labels).logits
        )
    language = again.model.language_model
    assert language.lm_head.weight.data_ptr() == language.shared.weight.data_ptr()


def test_only_the_image_half_moves_the_vision_digest(base: Base, tmp_path: Path):
    with torch.no_grad():
        base.model.language_model.shared.weight += 1
    save_base(tmp_path / "b", base.model, base.tokenizer, base.preprocessing, base.prompt, {}, profile=base.profile)
    language_changed = load_base(tmp_path / "b")
    assert language_changed.digest != base.digest and language_changed.vision_digest == base.vision_digest
    with torch.no_grad():
        base.model.query_tokens += 1
    save_base(tmp_path / "b", base.model, base.tokenizer, base.preprocessing, base.prompt, {}, profile=base.profile)
    assert load_base(tmp_path / "b").vision_digest != base.vision_digest


def test_damage_is_refused(base_folder: Path, tmp_path: Path):
    folder = tmp_path / "base"
    shutil.copytree(base_folder, folder)
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-3] ^= 1
    weights.write_bytes(content)
    with pytest.raises(SelvedgeError, match="does not match the digest"):
        load_base(folder)
    weights.write_bytes(content[:1000])
    with pytest.raises(SelvedgeError, match=r"model\.safetensors are missing or broken"):
        load_base(folder)
    about = json.loads((folder / "selvedge.json").read_text())
    (folder / "selvedge.json").write_text(json.dumps(about | {"format": 99}))
    with pytest.raises(SelvedgeError, match="has format 99"):
        load_base(folder)


def test_infinite_weights_are_not_saved(base: Base, tmp_path: Path):
    with torch.no_grad():
        base.model.query_tokens[0, 0, 0] = 1e6  # finite, but not in float16
    with pytest.raises(SelvedgeError, match="query_tokens is not finite"):
        save_base(tmp_path / "b", base.model, base.tokenizer, base.preprocessing, base.prompt, {}, profile=base.profile)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text", ["Sleeve Length: Three-Quarter Sleeves", "ünïcode — 日本 & <tags>", "</s>ness", "a  b"]
)
def test_any_text_can_be_written(base: Base, text: str):
    ids = encode(base.tokenizer, text)
    if "</s>" not in text:
        assert base.tokenizer.decode(ids, skip_special_tokens=True).strip() == text
    assert base.tokenizer.unk_token_id not in ids


def test_special_tokens_have_the_ids_of_the_profile():
    tokenizer = train_tokenizer(["one two three"], 300)
    ids = [tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("<image>")]
    assert ids == [TINY.text["pad_token_id"], TINY.text["eos_token_id"], TINY.image_token]
    with pytest.raises(SelvedgeError, match="vocab_size 20"):
        train_tokenizer(["x"], 20)
