"""The language-model writers: requests that the service accepts, a budget that holds, errors in one sentence."""

import json

import pytest

from catalog.errors import SelvedgeError, ServiceUnavailable
from inference.descriptions.bedrock import BedrockWriter, Budget, make_client
from inference.descriptions.local_llm import load_local_writer
from inference.descriptions.prompting import load_prompt
from inference.descriptions.writer import BudgetSpent
from tests.inference.facts_for_tests import drawn_facts

MODEL = "eu.amazon.nova-lite-v1:0"
PROMPT = load_prompt()
FACTS = drawn_facts(12)


@pytest.fixture
def client(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    return make_client("eu-central-1")


def answer(text="A shirt.", stop="end_turn", tokens_in=400, tokens_out=50):
    return {
        "output": {"message": {"role": "assistant", "content": [{"text": text}]}},
        "stopReason": stop,
        "usage": {"inputTokens": tokens_in, "outputTokens": tokens_out, "totalTokens": tokens_in + tokens_out},
        "metrics": {"latencyMs": 10},
    }


def writer(client, max_tokens=1_000_000, max_usd=10.0):
    return BedrockWriter(client, MODEL, PROMPT, Budget(max_tokens, max_usd, usd_per_1k_in=0.06, usd_per_1k_out=0.24))


def test_the_request_satisfies_the_services_own_model(client):
    from botocore.validate import ParamValidator

    shape = client.meta.service_model.operation_model("Converse").input_shape
    for feedback in ([], ["Mention the fabric: Cotton.", 'Remove "silk": nothing known supports it.']):
        request = writer(client).request(FACTS, feedback)
        assert ParamValidator().validate(request, shape).generate_report() == ""
        assert set(request) <= set(shape.members) and set(shape.required_members) <= set(request)


def test_a_draft_comes_back_with_what_it_cost(client):
    from botocore.stub import Stubber

    asked = writer(client)
    with Stubber(client) as stub:
        stub.add_response("converse", answer('"A  plain\nshirt."'), asked.request(FACTS))
        draft = asked.write(FACTS)
    assert (draft.text, draft.tokens_in, draft.tokens_out) == ("A plain shirt.", 400, 50)
    assert asked.budget.usd == pytest.approx(0.4 * 0.06 + 0.05 * 0.24)


@pytest.mark.parametrize("stop", ["max_tokens", "guardrail_intervened", "content_filtered"])
def test_an_unfinished_answer_is_an_empty_draft_that_was_paid_for(client, stop):
    from botocore.stub import Stubber

    asked = writer(client)
    with Stubber(client) as stub:
        stub.add_response("converse", answer(stop=stop))
        assert asked.write(FACTS).text == ""
    assert asked.budget.tokens_out == 50


@pytest.mark.parametrize("limits", [{"max_tokens": 12_000}, {"max_usd": 0.7}])
def test_no_run_passes_its_limit(client, limits):
    """The service bills as much as it can every time; the limit holds and the refusal comes before the request."""
    from botocore.stub import Stubber

    asked = writer(client, **limits)
    with Stubber(client) as stub:
        sent = len((PROMPT.system + asked.request(FACTS)["messages"][0]["content"][0]["text"]).encode())
        written = 0
        with pytest.raises(BudgetSpent, match="leaves no room"):
            for _ in range(50):
                stub.add_response("converse", answer(tokens_in=sent, tokens_out=PROMPT.max_output_tokens))
                asked.write(FACTS)
                written += 1
    assert written > 1
    assert asked.budget.tokens_in + asked.budget.tokens_out <= asked.budget.max_tokens
    assert asked.budget.usd <= asked.budget.max_usd


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        ("ThrottlingException", ServiceUnavailable, "run again later"),
        ("ModelTimeoutException", ServiceUnavailable, "run again later"),
        ("AccessDeniedException", SelvedgeError, "bedrock:InvokeModel"),
        ("ResourceNotFoundException", SelvedgeError, "model id and the region"),
    ],
)
def test_errors_say_whether_to_come_back(client, code, kind, words):
    from botocore.stub import Stubber

    with Stubber(client) as stub:
        stub.add_client_error("converse", code)
        with pytest.raises(SelvedgeError, match=words) as raised:
            writer(client).write(FACTS)
    assert type(raised.value) is kind and MODEL in str(raised.value)


# -- prompt -----------------------------------------------------------------------------------------------------------


def test_the_prompt_holds_every_fact_and_every_correction():
    text = PROMPT.render(FACTS, ["Mention the {fabric}.", "Remove x."])
    assert all(f"- {key.replace('_', ' ')}: {value}" in text for key, value in FACTS.values.items())
    assert "- Mention the {fabric}." in text and "- Remove x." in text
    assert "refused" not in PROMPT.render(FACTS, []) and "{" not in PROMPT.render(FACTS, [])


def test_the_prompt_version_follows_its_words(tmp_path):
    from inference.descriptions.prompting import SHIPPED

    copy = tmp_path / "prompt.yaml"
    copy.write_text(SHIPPED.read_text().replace("fashion shop", "shoe shop"))
    assert load_prompt(copy).version != PROMPT.version and load_prompt(copy).version.startswith("1-")


@pytest.mark.parametrize(("old", "new"), [("{facts}", ""), ("system: |", "sistem: |"), ("version: 1", "version: [")])
def test_a_broken_prompt_is_named(tmp_path, old, new):
    from inference.descriptions.prompting import SHIPPED

    broken = tmp_path / "prompt.yaml"
    broken.write_text(SHIPPED.read_text().replace(old, new))
    with pytest.raises(SelvedgeError, match=r"prompt\.yaml"):
        load_prompt(broken)


# -- local ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny_llm(tmp_path_factory):
    """A causal language model of random weights with a byte-level tokenizer, saved as a plain folder."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("llm") / "tiny-llama"
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE({c: i for i, c in enumerate([*alphabet, "</s>"])}, []))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>", pad_token="</s>")
    config = LlamaConfig(
        vocab_size=257, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=4096, eos_token_id=256, pad_token_id=256, bos_token_id=256,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_local_model_writes_the_same_text_twice(tiny_llm):
    local = load_local_writer(tiny_llm, PROMPT)
    first, again = local.write(FACTS, ["Mention the fabric."]), local.write(FACTS, ["Mention the fabric."])
    assert first == again and first.tokens_out > 0
    assert first.tokens_in > len(PROMPT.render(FACTS, ["Mention the fabric."]))
    assert local.model_version.startswith("tiny-llama@") and len(local.model_version.split("@")[1]) == 12


def test_a_chat_model_is_asked_in_its_own_form(tiny_llm):
    local = load_local_writer(tiny_llm, PROMPT)
    local._tokenizer.chat_template = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}[assistant]"
    decoded = local._tokenizer.decode(local._tokens("Facts: x")[0])
    assert decoded.startswith("[system]You write product") and decoded.endswith("[user]Facts: x[assistant]")


def test_a_folder_without_weights_is_named(tmp_path, tiny_llm):
    with pytest.raises(SelvedgeError, match="holds no safetensors weights"):
        load_local_writer(tmp_path, PROMPT)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "model.safetensors").write_bytes((tiny_llm / "model.safetensors").read_bytes())
    (broken / "config.json").write_text(json.dumps({"model_type": "no-such-model"}))
    with pytest.raises(SelvedgeError, match="no causal language model"):
        load_local_writer(broken, PROMPT)


def test_a_prompt_that_does_not_fit_is_refused(tiny_llm):
    local = load_local_writer(tiny_llm, PROMPT)
    local._model.config.max_position_embeddings = 256
    with pytest.raises(SelvedgeError, match="exceed the model's 256"):
        local.write(FACTS)
