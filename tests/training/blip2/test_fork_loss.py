"""The loss at the forks: it is what decoding gives an answer, and what is never chosen teaches nothing."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from catalog.errors import SelvedgeError
from tests.training.blip2.conftest import Shop, schema
from tests.training.blip2.test_answers import COLOURS, SLEEVES
from training.blip2.answers import AnswerTrie, Choices, PictureQuestion, answer_all, answer_tries, pad_right
from training.blip2.base import Base
from training.blip2.examples import choose_answers, make_examples
from training.blip2.fork_loss import fork_loss, gather_forks
from training.blip2.language import image_tokens
from training.blip2.tokenizer import encode, encode_prompt

AS_BASE = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
WORDS = st.lists(st.text("abc ", min_size=1, max_size=6).filter(str.strip), min_size=1, max_size=9)


def loss_of(base: Base, features: Tensor, answers: list[Choices], question: str = "which?") -> Tensor:
    ids = encode_prompt(base.tokenizer, base.prompt.text(question))
    asked, mask = pad_right([ids] * len(answers), 0)
    return fork_loss(base.model, image_tokens(base.model, features), asked, mask, gather_forks(answers))


def library_loss(base: Base, features: Tensor, trie: AnswerTrie, answer: int, question: str = "which?") -> float:
    """The library's own forward pass over the whole answer, its logits shared among the allowed tokens step by step."""
    ids = torch.tensor([encode_prompt(base.tokenizer, base.prompt.text(question))])
    embedded = torch.cat([image_tokens(base.model, features), base.model.language_model.shared(ids)], 1)
    path = trie.paths[answer]
    with torch.no_grad():
        logits = base.model.language_model(inputs_embeds=embedded, labels=torch.tensor([path])).logits[0]
    total = 0.0
    for step, token in enumerate(path):
        allowed = trie.allowed(path[:step])
        total -= float(torch.log_softmax(logits[step, allowed], 0)[allowed.index(token)])
    return total


def test_it_is_the_librarys_logits_shared_among_what_is_allowed(base: Base):
    features = torch.randn(1, 8, 48, generator=torch.Generator().manual_seed(1))
    for vocabulary in (COLOURS, SLEEVES):
        trie = AnswerTrie(vocabulary, base.tokenizer)
        for number, answer in enumerate(vocabulary):
            ours = loss_of(base, features, [trie.choices[answer]])
            assert float(ours) == pytest.approx(library_loss(base, features, trie, number), abs=1e-4)


@AS_BASE
@given(WORDS)
def test_it_is_minus_the_log_probability_that_decoding_gives(base: Base, values: list[str]):
    answers = sorted({" ".join(value.split()) for value in values})
    trie = AnswerTrie(answers, base.tokenizer)
    features = torch.randn(1, 8, 48, generator=torch.Generator().manual_seed(len(answers)))
    decoded = answer_all(base, features, [PictureQuestion(0, "which?", trie)], "trie")[0].log_probabilities
    with torch.no_grad():
        losses = [float(loss_of(base, features, [trie.choices[answer]])) for answer in answers]
    assert np.allclose(losses, -decoded, atol=1e-4)


@AS_BASE
@given(WORDS)
def test_the_choices_of_an_answer_lead_to_it_and_are_never_forced(base: Base, values: list[str]):
    trie = AnswerTrie(sorted({" ".join(value.split()) for value in values}), base.tokenizer)
    for path, answer in zip(trie.paths, trie.answers, strict=True):
        choices = trie.choices[answer]
        assert list(choices.inputs[1:]) == path[: len(choices.inputs) - 1]
        for position, allowed, taken in zip(choices.positions, choices.allowed, choices.taken, strict=True):
            assert len(allowed) > 1 and list(allowed) == trie.allowed(path[:position])
            assert allowed[taken] == path[position]
        forced = set(range(len(path))) - set(choices.positions)
        assert all(trie.allowed(path[:position]) == [path[position]] for position in forced)


def test_a_batch_of_several_vocabularies_is_the_sum_of_its_answers(base: Base):
    tries = [AnswerTrie(words, base.tokenizer) for words in (COLOURS, SLEEVES, ["Only: One"])]
    answers = [trie.choices[trie.answers[-1]] for trie in (*tries, tries[0])]
    features = torch.randn(4, 8, 48, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        together = loss_of(base, features, answers)
        alone = [loss_of(base, features[row : row + 1], [answer]) for row, answer in enumerate(answers)]
    assert torch.isclose(together, torch.stack(alone).sum(), atol=1e-4)
    assert alone[2] == 0


def gradients_of_output_words(base: Base, answers: list[Choices]) -> set[int]:
    """Ids of the words whose row of an output layer of its own, tied to nothing, gets a gradient."""
    language = base.model.language_model
    language.lm_head.weight = torch.nn.Parameter(language.lm_head.weight.detach().clone())
    loss_of(base, torch.randn(len(answers), 8, 48), answers).backward()
    gradient = language.lm_head.weight.grad
    return set(torch.nonzero(gradient.abs().sum(1)).flatten().tolist())


def test_a_forced_token_gets_no_gradient_and_an_allowed_one_does(base: Base):
    trie = AnswerTrie(COLOURS, base.tokenizer)
    choices = trie.choices["Colour: Light Blue"]
    moved = gradients_of_output_words(base, [choices])
    assert moved == {token for allowed in choices.allowed for token in allowed}
    forced = set(encode(base.tokenizer, "Colour:"))
    assert forced and not forced & moved


def test_what_lies_after_the_last_choice_is_not_even_read(base: Base):
    trie = AnswerTrie(["Shape: Box", "Shape: Drum of a considerable length"], base.tokenizer)
    longest = max(trie.paths, key=len)
    choices = trie.choices["Shape: Drum of a considerable length"]
    assert len(choices.positions) == 1 and len(choices.inputs) < len(longest) // 2


def test_where_nothing_is_chosen_nothing_is_learnt(base: Base):
    trie = AnswerTrie(["Only: One"], base.tokenizer)
    weight = base.model.language_projection.weight.requires_grad_(True)
    loss = loss_of(base, torch.randn(2, 8, 48), [trie.choices["Only: One"]] * 2)
    loss.backward()
    assert loss == 0 and weight.grad is not None and not weight.grad.any()


def test_values_that_no_example_gives_are_still_chosen_against(base: Base, shop: Shop):
    """Serving allows them, so training does too."""
    tries = answer_tries(schema(), base)
    pairs = shop.pairs[(shop.pairs["attribute"] == "Colour") & (shop.pairs["value"] == "Green")]
    (choices,) = set(choose_answers(make_examples(base, pairs), tries))
    allowed = {token for tokens in choices.allowed for token in tokens}
    for path in tries["Colour"].paths:
        assert allowed & set(path)
    with pytest.raises(SelvedgeError, match="give the answer 'Colour: Teal', which the attribute schema does not"):
        choose_answers(make_examples(base, pairs.assign(answer="Colour: Teal")), tries)
