"""Words that a prompt is refused for: unsafe ones, persons, other brands.

Belongs here: finding them in a prompt, however they are disguised. Not here: the words (words.yaml, brands.yaml),
undoing a disguise (normalising.py).

Whole words only, after phrases that merely hold one ("blood orange", "hand made") are taken out: nothing is refused for
Scunthorpe, a cocktail or an assortment. What a prompt denies ("no people") it does not ask for.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from catalog.schema import load_schema
from catalog.yaml_files import read_yaml
from inference.ad_images.guardrails.normalising import STRETCHED, disguises, latin, plain, unstretched
from inference.descriptions.matching import (
    Match,
    PhraseBook,
    Token,
    denied_tokens,
    phrase_words,
    stem,
    tokenise,
    without,
)
from inference.descriptions.wording import Wording, wording_of

HERE = Path(__file__).parent
NEXT_WORDS = 8  # between a department ("men") and its article ("casual shoes")
DETERMINERS = frozenset(("a", "an", "the", "one", "this", "that", "some", "another", "each", "every"))
PART = frozenset(("a", "an", "the", "in", "on", "at", "with", "by", "to", "is", "are", "who", "whose"))
MAN = re.compile(r"[a-z]{2,}(?:man|men|woman|women)")
MASKED = re.compile(r"[a-z]+[*#%_]+[a-z*#%_]*|[*#%_]+[a-z]{2,}")


@dataclass(frozen=True)
class _Words:
    """words.yaml, ready to be looked up."""

    category: Mapping[str, str]  # single word → category of unsafe words
    stretched: Mapping[str, str]  # the same, no letter twice in a row
    phrases: PhraseBook[str]
    anywhere: re.Pattern[str]
    persons: PhraseBook[str]
    innocent: PhraseBook[str]
    departments: frozenset[str]
    body_parts: frozenset[str]
    doings: frozenset[str]  # what people do, and articles do not
    no_persons: frozenset[str]  # words that end like "fisherman" and name nobody
    articles: frozenset[str]  # stems of the last words of article names


def unsafe_category(prompt: str) -> str | None:
    """The category of unsafe words that a prompt holds ("profanity", "violence", …), or None."""
    return next(unsafe_categories(prompt), None)


def unsafe_categories(prompt: str) -> Iterator[str]:
    """The category of every unsafe word of a prompt."""
    words = _words()
    text = plain(prompt)
    tokens = without(tokenise(text), words.innocent)
    for match in words.phrases.find(tokens):
        yield match.meaning[0]
    cleared = " ".join(text[token.start : token.end] for token in tokens if token.word)
    if words.anywhere.search(cleared):
        yield "profanity"
    for spelled in disguises(_cleared(text, tokens)):
        if spelled in words.category:
            yield words.category[spelled]
        elif STRETCHED.search(spelled) and unstretched(spelled) in words.stretched:
            yield words.stretched[unstretched(spelled)]
    for masked in MASKED.findall(text):
        pattern = re.compile(re.sub(r"[*#%_]+", lambda run: f"[a-z]{{1,{max(2, len(run.group()))}}}", masked))
        hidden = next((word for word in words.category if len(word) > 2 and pattern.fullmatch(word)), None)
        if hidden is not None and len(masked.strip("*#%_")) >= 1:
            yield words.category[hidden]


def _cleared(text: str, tokens: Sequence[Token]) -> str:
    """The text with the innocent phrases out."""
    out = list(text)
    for token in tokens:
        if not token.word:
            out[token.start : token.end] = " " * (token.end - token.start)
    return "".join(out)


def person_asked_for(prompt: str) -> str | None:
    """The person, or part of one, that a prompt asks for; None for departments, possessives and "no people"."""
    words, wording = _words(), _wording()
    text = re.sub(r"\b(\w+)(?:['’]s|s['’])(?!\w)", lambda match: _unless_person(match, words), plain(prompt))
    tokens = without(tokenise(text), words.innocent)
    denied = denied_tokens(tokens, wording.negators, wording.not_negators)
    for match in words.persons.find(tokens):
        if not (
            match.first in denied or _is_department(tokens, match.first, words) or _is_of_a_thing(tokens, match, words)
        ):
            return " ".join(token.word for token in tokens[match.first : match.last + 1])
    for index, token in enumerate(tokens):
        if MAN.fullmatch(token.word) and token.word not in words.no_persons and index not in denied:
            return token.word
    return None


def _unless_person(match: re.Match[str], words: _Words) -> str:
    """ "a men's shirt" names a shirt: the possessive of a person is taken out, as long as the text."""
    return " " * len(match.group()) if match.group(1) in words.persons else match.group()


def _is_department(tokens: Sequence[Token], index: int, words: _Words) -> bool:
    """ "men casual shoes": a department, a few words before an article, with nothing like "in a" between."""
    before = tokens[index - 1].word if index else ""
    if tokens[index].word not in words.departments or before in DETERMINERS:
        return False
    for token in tokens[index + 1 : index + 2 + NEXT_WORDS]:
        if token.word in PART or token.word in words.doings:
            return False
        if token.stem in words.articles:
            return True
    return False


def _is_of_a_thing(tokens: Sequence[Token], match: Match[tuple[str, ...]], words: _Words) -> bool:
    """ "the face of the watch": whose the part is follows, and a person there is found by itself."""
    after = tokens[match.last + 1].word if match.last + 1 < len(tokens) else ""
    return after == "of" and tokens[match.last].word in words.body_parts


class OtherBrands:
    """Brands that a prompt may not name.

    Args:
        own: the product's own brand, or several names, such as its listing's title; what they hold, and what they are
            part of, may be named. catalogue: other brands of the shop.
    """

    def __init__(self, own: str | Iterable[str] = "", catalogue: Iterable[str] = ()) -> None:
        self._own = [key for key in map(_key, [own] if isinstance(own, str) else own) if key]
        self._cues = frozenset(_brands()["cues"])
        self._names, self._common = _brand_books(tuple(catalogue))

    def _other(self, names: tuple[str, ...]) -> str | None:
        """The first of the brands of one match that is not the product's own, nor a part of it."""
        return next((name for name in names if not self._is_own(set(_key(name)))), None)

    def _is_own(self, name: set[str]) -> bool:
        return any(name <= set(own) or set(own) <= name for own in self._own)

    def without_own(self, prompt: str) -> str:
        """The prompt with the product's brand out, which may be made of words that mean more ("The North Face")."""
        for own in self._own:
            named = r"\W+".join(map(re.escape, own))
            prompt = re.sub(rf"(?<!\w)(?:the\s+)?{named}(?!\w)", " ", prompt, flags=re.IGNORECASE)
        return prompt

    def named(self, prompt: str) -> str | None:
        """The brand that a prompt names, or None.

        A brand that is an ordinary word as well ("Mango") counts where it is written as a name, or beside a word like
        "logo".
        """
        innocent = _words().innocent
        prompt = latin(prompt.replace("&", " and "))
        text = plain(prompt)
        tokens = without(tokenise(text), innocent)
        matches = [match.meaning for match in self._names.find(tokens)]
        for spelled in disguises(_cleared(text, tokens)):
            single = tokenise(spelled)
            hit = self._names.at(single, 0) if len(single) == 1 and single[0].stem else None
            matches += [hit.meaning] if hit is not None else []
        written = without(tokenise(prompt), innocent)
        for match in self._common.find(written):
            if _is_written_as_name(prompt, written, match) or self._beside_cue(written, match.first, match.last):
                matches.append(match.meaning)
        return next(filter(None, map(self._other, matches)), None)

    def _beside_cue(self, tokens: Sequence[Token], first: int, last: int) -> bool:
        around = [*tokens[max(0, first - 1) : first], *tokens[last + 1 : last + 2]]
        return any(token.word in self._cues for token in around)


def _is_written_as_name(prompt: str, tokens: Sequence[Token], match: Match[tuple[str, ...]]) -> bool:
    """With capitals that neither begin a sentence nor stand among capitals everywhere."""
    words = [index for index, token in enumerate(tokens) if token.stem]
    capital = {index for index in words if prompt[tokens[index].start].isupper()}
    own = {index for index in range(match.first, match.last + 1) if tokens[index].word not in ("and", "of", "the")}
    others = [index for index in words if index not in own]
    if not own <= capital or (len(others) > 1 and len(capital.intersection(others)) > 0.6 * len(others)):
        return False
    begins = match.first == 0 or tokens[match.first - 1].sentence != tokens[match.first].sentence
    return not begins or len(own) > 1


@cache
def _key(name: str) -> tuple[str, ...]:
    return tuple(phrase_words(plain(name.replace("&", " and "))))


@lru_cache(maxsize=8)
def _brand_books(catalogue: tuple[str, ...]) -> tuple[PhraseBook[str], PhraseBook[str]]:
    """Brands that are no ordinary words, and those that are; the shop's own among these."""
    books: list[PhraseBook[str]] = []
    for names in (_brands()["names"], (*_brands()["common"], *catalogue)):
        book: PhraseBook[str] = PhraseBook()
        for name in map(str, names):
            if _key(name):
                book.add(latin(name.replace("&", " and ")), name)
        books.append(book)
    return books[0], books[1]


@cache
def _brands() -> Mapping[str, Any]:
    return read_yaml(HERE / "brands.yaml", "list of brands")


@cache
def _words() -> _Words:
    data = read_yaml(HERE / "words.yaml", "list of refused words")
    phrases: PhraseBook[str] = PhraseBook()
    category: dict[str, str] = {}
    for name, listed in data["unsafe"].items():
        for phrase in map(str, listed):
            if " " in phrase:
                phrases.add(phrase, name)
            else:
                category.setdefault(phrase, name)
    return _Words(
        category,
        {unstretched(word): name for word, name in category.items()},
        phrases,
        re.compile("|".join(map(re.escape, data["anywhere"]))),
        _book(data["persons"]),
        _book(data["innocent"]),
        frozenset(data["group_words"]),
        frozenset(data["body_parts"]),
        frozenset(data["doings"]),
        frozenset(data["no_persons"]),
        frozenset(_wording().article_nouns) | {stem(phrase_words(str(name))[-1]) for name in _article_names(data)},
    )


def _article_names(data: Mapping[str, Any]) -> Iterator[str]:
    yield from load_schema().article_types
    yield from data["articles"]


def _book(phrases: Iterable[str]) -> PhraseBook[str]:
    book: PhraseBook[str] = PhraseBook()
    for phrase in phrases:
        book.add(str(phrase), str(phrase))
    return book


@cache
def _wording() -> Wording:
    return wording_of(load_schema())


def refused_words() -> Iterator[str]:
    """Every single unsafe word, for tests and measurements."""
    yield from _words().category
