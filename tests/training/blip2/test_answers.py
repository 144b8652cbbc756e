"""Decoding: answers come from the closed vocabulary, and a batch of N gives what N singles give."""

from copy import copy
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from PIL import Image
from transformers import DynamicCache, EncoderDecoderCache

from catalog.errors import SelvedgeError
from tests.training.blip2.conftest import QUESTIONS, Shop
from training.blip2 import answers
from training.blip2.answers import AnswerTrie, PictureQuestion, answer_all, decode_answers, pad_right
from training.blip2.base import Base
from training.blip2.features import FeatureStore
from training.blip2.language import answer_loss, image_tokens
from training.blip2.tokenizer import encode

COLOURS = [f"Colour: {c}" for c in ("Navy Blue", "Navy", "Red", "Light Blue", "Light Green", "Grey", "Grey Melange")]
SLEEVES = [f"Sleeve Length: {s}" for s in ("Long Sleeves", "Short Sleeves", "Sleeveless")]
AS_BASE = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def questions(base: Base, pictures: int) -> list[PictureQuestion]:
    tries = [
        AnswerTrie(COLOURS, base.tokenizer),
        AnswerTrie(SLEEVES, base.tokenizer),
        AnswerTrie(["Only: One"], base.tokenizer),
    ]
    words = [QUESTIONS["Colour"], "How long?", "And?"]
    return [PictureQuestion(row, q, trie) for row in range(pictures) for q, trie in zip(words, tries, strict=True)]


def prompt_ids(base: Base, question: str) -> torch.Tensor:
    words = encode(base.tokenizer, base.prompt.text(question))
    return torch.tensor([[base.profile.image_token] * base.profile.queries + words])


def pixels_of(base: Base, shop: Shop, row: int) -> torch.Tensor:
    return base.preprocessing.pixels([Image.open(shop.items[row][1])])


def test_cached_answers_are_the_tokens_the_library_generates(base: Base, shop: Shop, store: FeatureStore):
    asked = questions(base, 8)
    features = store.read([sha256 for sha256, _ in shop.items[:8]])
    decoded = decode_answers(base, features, asked)
    chosen = set()
    for one, scores in zip(asked, decoded, strict=True):
        tokens = base.model.generate(
            pixels_of(base, shop, one.image),
            input_ids=prompt_ids(base, one.question),
            max_new_tokens=40,
            do_sample=False,
            num_beams=1,
            prefix_allowed_tokens_fn=lambda _, prefix, trie=one.trie: trie.allowed(prefix.tolist()[1:]),
            past_key_values=EncoderDecoderCache(DynamicCache(), DynamicCache()),
        )
        answers = one.trie.answers
        assert base.tokenizer.decode(tokens[0], skip_special_tokens=True).strip() == answers[scores.answer_index]
        chosen.add((answers, scores.answer_index))
    assert len(chosen) > 3, "the pictures must not all get the same answers, or nothing was tested"


def test_scores_are_the_librarys_loss_of_each_answer(base: Base, shop: Shop, store: FeatureStore):
    asked = questions(base, 2)
    features = store.read([sha256 for sha256, _ in shop.items[:2]])
    scored = answer_all(base, features, asked, "scored")
    for one, scores in zip(asked, scored, strict=True):
        with torch.no_grad():
            forward = partial(base.model, pixels_of(base, shop, one.image), prompt_ids(base, one.question))
            losses = torch.stack([forward(labels=torch.tensor([path])).loss for path in one.trie.paths])
        assert np.allclose(torch.log_softmax(-losses, 0).numpy(), scores.log_probabilities, atol=1e-4)
        assert scores.answer_index == int(losses.argmin())


@pytest.mark.parametrize("decoding", ["trie", "scored"])
def test_a_batch_answers_as_its_questions_do_alone(base: Base, shop: Shop, store: FeatureStore, decoding):
    asked = questions(base, 6)
    features = store.read([sha256 for sha256, _ in shop.items[:6]])
    together = answer_all(base, features, asked, decoding)
    for one, scores in zip(asked, together, strict=True):
        alone = answer_all(base, features, [one], decoding)[0]
        assert alone.answer_index == scores.answer_index
        assert np.allclose(alone.log_probabilities, scores.log_probabilities, atol=1e-5)
        assert np.isclose(np.exp(scores.log_probabilities).sum(), 1, atol=1e-5)


def test_a_batch_holds_the_same_questions_wherever_the_tries_lie_in_memory(
    base: Base, shop: Shop, store: FeatureStore, monkeypatch: pytest.MonkeyPatch
):
    """A batch of other questions rounds otherwise: the same drop would have other bytes in another process."""
    features = store.read([sha256 for sha256, _ in shop.items[:3]])
    colours, sleeves = (
        sorted((copy(trie) for _ in range(8)), key=id)
        for trie in (AnswerTrie(COLOURS, base.tokenizer), AnswerTrie(SLEEVES, base.tokenizer))
    )
    pairs = [(colours[0], sleeves[-1]), (colours[-1], sleeves[0])]
    assert [id(one) < id(other) for one, other in pairs] == [True, False]
    batches: list[list[list[int]]] = []
    encoded = answers.encode

    def recorded(model, tokens, question, mask):
        batches[-1].append(question.tolist())
        return encoded(model, tokens, question, mask)

    monkeypatch.setattr(answers, "encode", recorded)
    monkeypatch.setattr(answers, "ROWS", 4)
    for tries in pairs:
        batches.append([])
        asked = [
            PictureQuestion(row, q, t) for row in range(3) for q, t in zip(("Which?", "How long?"), tries, strict=True)
        ]
        answer_all(base, features, asked, "trie")
    assert batches[0] == batches[1]


@AS_BASE
@given(st.lists(st.text("abc ", min_size=1, max_size=6).filter(str.strip), min_size=1, max_size=9))
def test_any_vocabulary_makes_a_proper_distribution(base: Base, values: list[str]):
    answers = sorted({" ".join(value.split()) for value in values})
    trie = AnswerTrie(answers, base.tokenizer)
    features = torch.randn(1, 8, 48, generator=torch.Generator().manual_seed(len(answers)))
    for decoding in ("trie", "scored"):
        scores = answer_all(base, features, [PictureQuestion(0, "which?", trie)], decoding)[0]
        assert len(scores.log_probabilities) == len(answers)
        assert np.isclose(np.exp(scores.log_probabilities).sum(), 1, atol=1e-5)
        assert 0 <= scores.answer_index < len(answers)


@AS_BASE
@given(st.lists(st.text("abc ", min_size=1, max_size=6).filter(str.strip), min_size=1, max_size=9))
def test_walking_a_trie_reaches_every_answer_and_nothing_else(base: Base, values: list[str]):
    answers = sorted({" ".join(value.split()) for value in values})
    trie = AnswerTrie(answers, base.tokenizer)
    end, reached, open_paths = base.tokenizer.eos_token_id, [], [[]]
    while open_paths:
        path = open_paths.pop()
        for token in trie.allowed(path):
            (reached if token == end else open_paths).append([*path, token])
    assert sorted(reached) == sorted(trie.paths)
    assert all(trie.allowed(path) == [end] for path in reached), "a finished row must still get a token"


def test_empty_and_doubled_vocabularies_are_refused(base: Base):
    with pytest.raises(SelvedgeError, match="vocabulary of a question is empty"):
        AnswerTrie([], base.tokenizer)
    with pytest.raises(SelvedgeError, match="the same tokens"):
        AnswerTrie(["Red", " Red"], base.tokenizer)


def batch(base: Base):
    torch.manual_seed(0)
    question, mask = pad_right([[20, 30, 40], [50, 60, 70, 80, 90], [25]], 0)
    labels, real = pad_right([[33, 44, 1], [55, 1], [66, 77, 88, 1]], 0)
    return torch.randn(3, 8, 48), question, mask, labels.masked_fill(~real, -100)


@pytest.mark.parametrize("adapter", [False, True])
def test_the_loss_is_the_librarys(base: Base, adapter: bool):
    """Pads in questions and answers included; with an adapter too (dropout off)."""
    features, question, mask, labels = batch(base)
    language = base.model.language_model
    if adapter:
        language = get_peft_model(
            language, LoraConfig(r=4, target_modules=["q", "v", "wi_0", "o"], init_lora_weights=False)
        )
        language.eval()
    with torch.no_grad():
        tokens = image_tokens(base.model, features)
        summed, count = answer_loss(base.model, tokens, question, mask, labels)
        embedded = torch.cat([tokens, base.model.language_model.shared(question)], 1)
        attention = torch.cat([torch.ones(3, 8), mask.float()], 1).long()
        reference = language(inputs_embeds=embedded, attention_mask=attention, labels=labels).loss
    assert count == 9
    assert torch.isclose(summed / count, reference, atol=1e-5)


def test_what_stands_in_the_padding_is_without_effect(base: Base):
    features, question, mask, labels = batch(base)
    with torch.no_grad():
        tokens = image_tokens(base.model, features)
        one, _ = answer_loss(base.model, tokens, question, mask, labels)
        other, _ = answer_loss(base.model, tokens, question.masked_fill(~mask, 99), mask, labels)
    assert torch.isclose(one, other, atol=1e-5)
