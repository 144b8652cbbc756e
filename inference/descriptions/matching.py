"""Finding word groups in a text: tokens, word forms, phrases with small gaps, and what a negation reaches.

Belongs here: language, no fashion. Not here: which word groups matter and what they mean (wording.py, faithfulness.py).

Hyphens, case and plurals make no difference ("Long-sleeved", "long sleeved"; "stripe", "stripes"): the same crude
stem is taken of the text and of what is looked for.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

GAP = "_"
LONGEST_GAP = 2
NEGATION_REACH = 5
_WORD = re.compile(r"\d+/\d+|\d+(?:[.,]\d+)*%?|[^\W\d_]+(?:'[^\W\d_]+|')?|[^\w\s]", re.UNICODE)
_SILENT = frozenset("-'\"")
_HARD = frozenset(".;:!?")
# Plurals that are another word than their singular: "shorts" are not short, "heels" are more than a heel.
_OWN_WORDS = frozenset({"shorts", "heels", "flats", "briefs", "boxers", "trunks", "tights"})
_ENDS_REACH = frozenset({"but", "and", "with", "yet", "so", "just", "only"})
Meaning = TypeVar("Meaning")


@dataclass(frozen=True)
class Token:
    """A word or a punctuation mark, with its place in the text.

    Attributes:
        word: lower case, possessive removed. stem: without a plural ending; "" for punctuation.
        start, end: characters of the original text.
        sentence: number of its sentence or half-sentence, from 0; `.;:!?` begin a new one.
    """

    word: str
    stem: str
    start: int
    end: int
    sentence: int


@dataclass(frozen=True)
class Match(Generic[Meaning]):
    """Tokens `first` to `last` (inclusive) say `meaning`."""

    first: int
    last: int
    meaning: Meaning


def stem(word: str) -> str:
    """`word` (lower case) without a plural ending: dresses → dress, bodies → body, sleeves → sleeve."""
    if word in _OWN_WORDS:
        return word
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def tokenise(text: str) -> list[Token]:
    """Words and punctuation of a text; hyphens and quotation marks join nothing and divide nothing."""
    plain = _same_length(text)
    tokens: list[Token] = []
    sentence = 0
    for match in _WORD.finditer(plain):
        raw = match.group()
        if raw in _SILENT:
            continue
        word = re.sub(r"'s$|'$", "", raw)
        is_word = any(character.isalnum() for character in word)
        tokens.append(Token(word, stem(word) if is_word else "", match.start(), match.end(), sentence))
        sentence += raw in _HARD
    return tokens


def _same_length(text: str) -> str:
    """Lower case with simple apostrophes and hyphens, character for character, so that places stay true."""
    if text.isascii():
        return text.lower()
    simple = {"’": "'", "‘": "'", "‐": "-", "‑": "-", "\u00ad": "-", "\u200b": "-"}
    out = []
    for character in text:
        changed = simple.get(character, character)
        folded = unicodedata.normalize("NFKC", changed).lower()
        out.append(folded if len(folded) == 1 else changed)
    return "".join(out)


class PhraseBook(Generic[Meaning]):
    """Word groups and what they mean; finds the longest that begins at a token."""

    def __init__(self) -> None:
        self._by_first: dict[str, list[tuple[tuple[str, ...], list[Meaning]]]] = {}
        self._known: dict[tuple[str, ...], list[Meaning]] = {}

    def add(self, phrase: str, meaning: Meaning) -> None:
        """`_` in a phrase stands for up to two words; it may not come first or last."""
        words = tuple(part if part == GAP else stem(part) for part in phrase_words(phrase))
        if not words:
            return
        meanings = self._known.get(words)
        if meanings is None:
            meanings = self._known[words] = []
            self._by_first.setdefault(words[0], []).append((words, meanings))
            self._by_first[words[0]].sort(key=lambda entry: -len(entry[0]))
        if meaning not in meanings:
            meanings.append(meaning)

    def __contains__(self, phrase: str) -> bool:
        return tuple(part if part == GAP else stem(part) for part in phrase_words(phrase)) in self._known

    def at(self, tokens: Sequence[Token], index: int) -> Match[tuple[Meaning, ...]] | None:
        """The longest phrase beginning at `index`, with all its meanings."""
        best: Match[tuple[Meaning, ...]] | None = None
        for words, meanings in self._by_first.get(tokens[index].stem, ()):
            last = _last_of(tokens, index, words)
            if last is not None and (best is None or last > best.last):
                best = Match(index, last, tuple(meanings))
        return best

    def find(self, tokens: Sequence[Token]) -> Iterator[Match[tuple[Meaning, ...]]]:
        """Matches from left to right, longest first, never overlapping."""
        index = 0
        while index < len(tokens):
            match = self.at(tokens, index)
            if match is None:
                index += 1
            else:
                yield match
                index = match.last + 1


def phrase_words(phrase: str) -> list[str]:
    """The words of a phrase as `tokenise` would see them; `_` is kept."""
    words: list[str] = []
    for part in phrase.split():
        words += [part] if part == GAP else [token.word for token in tokenise(part) if token.stem]
    return words


def _last_of(tokens: Sequence[Token], start: int, words: Sequence[str]) -> int | None:
    index, position = start, 0
    while position < len(words):
        if words[position] == GAP:
            wanted = words[position + 1]
            for ahead in range(LONGEST_GAP + 1):
                if index + ahead >= len(tokens) or not tokens[index + ahead].stem:
                    return None
                if tokens[index + ahead].stem == wanted:
                    index += ahead
                    break
            else:
                return None
            position += 1
            continue
        if index >= len(tokens) or tokens[index].stem != words[position]:
            return None
        index, position = index + 1, position + 1
    return index - 1


def without(tokens: Sequence[Token], phrases: PhraseBook[str]) -> list[Token]:
    """Tokens with every listed word group blanked, so that places and distances stay as they were."""
    kept = list(tokens)
    for match in phrases.find(tokens):
        for index in range(match.first, match.last + 1):
            token = kept[index]
            kept[index] = Token("", "", token.start, token.end, token.sentence)
    return kept


def denied_tokens(tokens: Sequence[Token], negators: PhraseBook[str], not_negators: PhraseBook[str]) -> set[int]:
    """Indices of the words that a negation reaches.

    A negation reaches up to five words of its own sentence, and ends at "but", "and", "with" or a comma, except a comma
    inside a list that goes on with "or" ("no stripes, checks or prints").
    """
    excused = {i for match in not_negators.find(tokens) for i in range(match.first, match.last + 1)}
    denied: set[int] = set()
    for match in negators.find(tokens):
        if match.first not in excused:
            denied.update(_reach(tokens, match.last + 1))
    return denied


def _reach(tokens: Sequence[Token], start: int) -> Iterable[int]:
    reached: list[int] = []
    budget = NEGATION_REACH
    for index in range(start, len(tokens)):
        token = tokens[index]
        if token.sentence != tokens[start - 1].sentence or budget == 0:
            break
        if token.word == ",":
            if not _goes_on_with_or(tokens, index):
                break
            budget = NEGATION_REACH
        elif token.word in ("or", "nor"):
            budget = NEGATION_REACH
        elif token.word in _ENDS_REACH or (token.word and not token.stem):
            break
        else:
            reached.append(index)
            budget -= 1
    return reached


def _goes_on_with_or(tokens: Sequence[Token], comma: int) -> bool:
    for token in tokens[comma + 1 : comma + 1 + 2 * NEGATION_REACH]:
        if token.word in ("or", "nor"):
            return True
        if token.sentence != tokens[comma].sentence or token.word in _ENDS_REACH:
            return False
    return False
