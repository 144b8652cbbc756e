"""What the corpus of pre-training may not say: the catalogue's questions and values; and the words that both use.

Belongs here: the forbidden texts, finding them, the list of shared words. Not here: the sentences themselves.
"""

import re
from collections.abc import Iterable

from catalog.schema import AttributeSchema


def forbidden_texts(schema: AttributeSchema) -> set[str]:
    """Normalised texts that no sentence may hold: every question, every answer, every value of several words."""
    questions = {schema.question(name, kind) for name in schema.attributes for kind in (None, *schema.article_types)}
    answers = {
        schema.answer(name, value) for name, attribute in schema.attributes.items() for value in attribute.vocabulary
    }
    values = {
        value for attribute in schema.attributes.values() for value in (*attribute.vocabulary, *attribute.synonyms)
    }
    return {_plain(text) for text in (*questions, *answers, *(v for v in values if len(_plain(v).split()) > 1))}


def offences(sentences: Iterable[str], schema: AttributeSchema) -> list[tuple[str, str]]:
    """(forbidden text, sentence) wherever one stands in the other as whole words."""
    # One pass over word runs, not one search per forbidden text: there are thousands of both.
    forbidden = forbidden_texts(schema)
    lengths = sorted({len(text.split()) for text in forbidden})
    matches = []
    for sentence in sentences:
        words = _plain(sentence).split()
        for length in lengths:
            for start in range(len(words) - length + 1):
                run = " ".join(words[start : start + length])
                if run in forbidden:
                    matches.append((run, sentence))
    return matches


def shared_words(sentences: Iterable[str], schema: AttributeSchema) -> list[str]:
    """Single-word values of the catalogue that everyday sentences use as well (blue, brown, …)."""
    values = {_plain(v) for attribute in schema.attributes.values() for v in attribute.vocabulary}
    single = {value for value in values if len(value.split()) == 1}
    return sorted(single & {word for sentence in sentences for word in _plain(sentence).split()})


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^\w]+", " ", text.casefold()).split())
