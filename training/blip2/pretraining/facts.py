"""Facts: one true statement about a drawn picture, and every everyday way to ask for it.

Belongs here: the kinds of question (open, choice, true or false, form, renaming, another tongue, copying) and captions.
Not here: which facts hold for a picture (garment_text.py, world_text.py), tokens (corpus.py).

Why so many kinds: a small language model that is only ever asked one question learns one answer by heart. Choices force it
to read the question, renaming and invented tongues force it to tie words it has never seen to what it sees, and that is
what an adapter will later ask of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.blip2.pretraining.words import TONGUES, cased, invented_word, tongue_word

KINDS = (
    ("open", 0.40),
    ("choice", 0.15),
    ("truth", 0.11),
    ("form", 0.10),
    ("renaming", 0.09),
    ("tongue", 0.12),
    ("copy", 0.03),
)


@dataclass(frozen=True)
class Fact:
    """One thing that is true of a picture.

    Attributes:
        topic: what it is about, in a few words ("reach of the arms"); heads the answer in a form.
        value: a short key, unique within the topic.
        questions: ways to ask for it, without a question mark.
        answers: ways to say it, the usual one first.
        others: ways to say what is not true, one tuple per wrong value.
        clause: how a caption says it; `{a}` stands for the answer.
        about: a plain noun for the thing, with which some questions begin.
    """

    topic: str
    value: str
    questions: tuple[str, ...]
    answers: tuple[str, ...]
    others: tuple[tuple[str, ...], ...] = ()
    clause: str = "{a}"
    about: str = ""


@dataclass(frozen=True)
class Asked:
    """A question about a picture and its answer, as the model will read and write them."""

    kind: str
    question: str
    answer: str


def ask(fact: Fact, rng: np.random.Generator, kind: str | None = None) -> Asked:
    """One question of a random kind about a fact; falls back to an open question where a kind needs wrong answers."""
    kind = kind or str(rng.choice([name for name, _ in KINDS], p=_SHARES))
    if kind in ("choice", "truth", "renaming") and not fact.others:
        kind = "open"
    question, answer = _ASKERS[kind](fact, rng)
    return Asked(kind, question, answer)


def caption(subject: str, facts: Sequence[Fact], rng: np.random.Generator, most: int = 3) -> str:
    """A sentence of a subject and one to `most` clauses, in random order."""
    wanted = min(len(facts), int(rng.integers(1, most + 1)))
    picked: Sequence[int] = list(rng.choice(len(facts), wanted, replace=False)) if wanted else []
    clauses = [facts[int(index)].clause.replace("{a}", _say(facts[int(index)].answers, rng)) for index in picked]
    return ", ".join([subject, *clauses])


def _say(answers: Sequence[str], rng: np.random.Generator) -> str:
    # The usual phrase most of the time: paraphrases are worth having, but each costs the decoder an unpredictable choice.
    return answers[0] if len(answers) == 1 or rng.random() < 0.65 else str(rng.choice(list(answers[1:])))


def _pick(options: Sequence[str], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]


def _question(fact: Fact, rng: np.random.Generator) -> str:
    question = _pick(fact.questions, rng)
    return f"for this {fact.about}, {question}" if fact.about and rng.random() < 0.25 else question


def _wrong(fact: Fact, rng: np.random.Generator) -> str:
    return _say(fact.others[int(rng.integers(len(fact.others)))], rng)


def _open(fact: Fact, rng: np.random.Generator) -> tuple[str, str]:
    lead = _pick(("", "", "", "please say: ", "look closely: ", "in this picture, "), rng)
    return f"{lead}{_question(fact, rng)}?", _say(fact.answers, rng)


def _choice(fact: Fact, rng: np.random.Generator) -> tuple[str, str]:
    answer = _say(fact.answers, rng)
    wrong = [_say(fact.others[int(i)], rng) for i in rng.permutation(len(fact.others))[: int(rng.choice([1, 1, 2]))]]
    options = [answer, *wrong]
    rng.shuffle(options)
    return f"{_question(fact, rng)}: {' or '.join(options)}?", answer


def _truth(fact: Fact, rng: np.random.Generator) -> tuple[str, str]:
    true = bool(rng.random() < 0.5)
    said = _say(fact.answers, rng) if true else _wrong(fact, rng)
    form = int(rng.integers(3))
    if form == 0:
        return f"true or false: {fact.clause.replace('{a}', said)}", "true" if true else "false"
    if form == 1:
        return f"{_question(fact, rng)}, is it {said}?", "yes" if true else "no"
    if true:
        return f"{_question(fact, rng)}, is it {said}?", f"yes, {said}"
    return f"{_question(fact, rng)}, is it {said}?", f"no, {_say(fact.answers, rng)}"


def _form(fact: Fact, rng: np.random.Generator) -> tuple[str, str]:
    answer = _say(fact.answers, rng)
    if rng.random() < 0.5:
        return f"fill in the form: {fact.topic}", f"{fact.topic.title()}: {answer.title()}"
    return f"{_question(fact, rng)}? answer as a form", f"{fact.topic.title()}: {answer.title()}"


def _renaming(fact: Fact, rng: np.random.Generator) -> tuple[str, str]:
    answer, wrong = _say(fact.answers, rng), _wrong(fact, rng)
    true_name, wrong_name = cased(invented_word(rng), rng), cased(invented_word(rng), rng)
    pairs = [f"{answer} is called {true_name}", f"{wrong} is called {wrong_name}"]
    rng.shuffle(pairs)
    return f"{pairs[0]}, {pairs[1]}. {_question(fact, rng)}?", true_name


def _tongue(fact: Fact, rng: np.random.Generator) -> tuple[str, str]:
    tongue = _pick(TONGUES, rng)
    answer = f"{tongue_word(tongue, fact.topic)}: {tongue_word(tongue, f'{fact.topic}/{fact.value}', words=2)}"
    return f"in {tongue}, {_question(fact, rng)}?", answer


def _copy(fact: Fact, rng: np.random.Generator) -> tuple[str, str]:
    said = " ".join(cased(invented_word(rng), rng) for _ in range(int(rng.integers(1, 4))))
    if rng.random() < 0.3:
        return f"say first {said}, then {_question(fact, rng)}?", f"{said}: {_say(fact.answers, rng)}"
    return f"{_pick(('repeat', 'write', 'copy', 'say'), rng)}: {said}", said


_SHARES = [share for _, share in KINDS]
_ASKERS = {
    "open": _open,
    "choice": _choice,
    "truth": _truth,
    "form": _form,
    "renaming": _renaming,
    "tongue": _tongue,
    "copy": _copy,
}
