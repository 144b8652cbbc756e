"""Sentences: what of a shopper's line may be drawn, and what of it says something that no picture can say.

Belongs here: negation and numbers, taken out of a line with the very words they were typed in. Not here: what a word
means, the vocabulary and refusals (words.py), typing errors and products (inference/discovery/).

A generator draws whatever it is told, so "not skinny" would draw the skinny pair, and "50% off" something of 50. Where
it is not certain how far a "not" reaches, more words are left out rather than fewer: what is left out is told, and a
word too many draws the opposite of what was asked.
"""

import difflib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

Why = Literal["negation", "number"]

NOT = frozenset((
    "not", "no", "non", "without", "w/o", "wo", "w/out", "never", "nor", "neither", "none", "nothing", "minus", "zero",
    "less", "fewer", "hardly", "barely", "than", "lacking", "lacks", "lack", "hate", "hates", "avoid", "avoiding",
    "cannot", "isnt", "arent", "wasnt", "werent", "aint", "dont", "doesnt", "didnt", "wont", "cant", "couldnt",
    "shouldnt", "wouldnt", "mustnt", "neednt", "hasnt", "havent", "nto", "nott", "ohne", "kein",
    "keine", "keinen", "nicht", "sans", "pas", "sin",
))  # fmt: skip
"""Reach as far as the garment or the person they are said of: "not skinny jeans" still asks for jeans."""

EXCEPT = frozenset(("except", "excepting", "excluding", "exclude", "excludes", "excluded", "besides", "opposed"))
"""Reach to the end of the clause, the garment with it: "anything except black jeans"."""

EXCEPT_AFTER = {"but": ("anything", "everything", "all", "any", "nothing"), "than": ("other", "rather", "instead"),
                "of": ("instead",), "from": ("apart", "aside")}  # fmt: skip
"""Words that mean "except" behind another one."""

LONG_CUES = ("without", "except", "excluding", "exclude", "avoid")  # seen through a typing error
LONG_CUE = 5  # letters: a shorter word is near to too many others
LIKE_A_CUE = 0.8  # difflib's ratio: "withot" is 0.92 of "without", "within" 0.62
FREE_OF = frozenset(("free", "less"))  # "stripe-free", "pocket-less"
TURNS = frozenset(("but", "with", "just", "rather", "though", "although"))  # what a "not" never reaches across
LISTS = frozenset(("or", "nor", "and"))
FILLERS = frozenset((
    "want", "like", "need", "have", "having", "be", "being", "are", "was", "too", "very", "so", "really", "that",
    "much", "many", "looking", "get", "see", "show", "me", "i", "prefer", "wearing", "made", "only", "them", "these",
    "those", "necessarily", "quite", "overly", "all", "such", "particularly", "as", "own", "use", "do", "does",
    "either", "both", "anything", "something", "ones", "one",
))  # fmt: skip
"""Beside the stop words, what may stand between a "not" and what it is said of."""

SAY_NOTHING = TURNS | FILLERS  # left in a line, they are no words that a model would have to know

BEFORE_NUMBER = frozenset((
    "under", "below", "over", "above", "within", "around", "about", "roughly", "less", "more", "than", "cheaper",
    "most", "least", "at", "up", "to", "max", "maximum", "min", "minimum", "between", "from", "size", "sizes", "waist",
    "length", "inseam", "leg", "price", "priced", "costs", "costing", "only", "not", "no", "age", "aged", "ages", "of",
    "for", "budget", "usd", "eur", "gbp", "inr", "rs", "beyond", "by", "in",
))  # fmt: skip
TELLING_BEFORE = BEFORE_NUMBER - {"to", "of", "for", "by", "in", "only", "not", "no", "leg"}
AFTER_NUMBER = frozenset((
    "usd", "dollar", "dollars", "eur", "euro", "euros", "gbp", "pound", "pounds", "inr", "rs", "rupee", "rupees",
    "buck", "bucks", "cent", "cents", "percent", "cm", "mm", "inch", "inches", "in", "off", "discount", "year", "years",
    "yr", "yrs", "old", "months", "or", "and", "to", "less", "more", "max", "maximum", "minimum", "waist", "length",
    "inseam", "x",
))  # fmt: skip
JOINING = frozenset(("or", "and", "to", "x", "in", "-"))  # behind a number only where another such word follows
SIZES = frozenset(("xxs", "xs", "xl", "xxl", "xxxl"))
SHORT_SIZES = frozenset(("s", "m", "l", "small", "medium", "large"))  # only behind "size"

_CURRENCY = "$€£₹¥"
_TOKEN = re.compile(
    rf"""(?P<cue>\bw/o(?:ut)?\b)
    |(?P<number>[^\s,;()|]*\d(?:[^\s,;()|]|,(?=\d))*)
    |(?P<sign>[{_CURRENCY}%])
    |(?P<minus>(?<!\S)[-–!~−](?=[^\W\d_]))
    |(?P<word>[^\W\d_]+(?:['’‘ʼ`][^\W\d_]+)*)
    |(?P<stop>[,;:.!?()|])""",
    re.VERBOSE,
)
_APOSTROPHE = re.compile("['’‘ʼ`]")


@dataclass(frozen=True)
class LeftOut:
    """A part of a line that is not drawn. phrase: as it was typed. why: it denies something, or it is a number."""

    phrase: str
    why: Why


@dataclass(frozen=True)
class Sentence:
    """A line as it is understood. wanted: the words that may be drawn, in their order. left_out: the other ones."""

    wanted: str
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True)
class _Token:
    kind: str
    word: str  # lower case, without apostrophes
    start: int
    end: int
    joined: bool  # to the word before it, by a hyphen


def read_sentence(text: str, heads: Collection[str], fillers: Collection[str]) -> Sentence:
    """What of a line is asked for, and what is only denied or counted.

    Args:
        text: as typed.
        heads: words that name a garment or a person, where a "not" ends that has said something already.
        fillers: words that say nothing ("in", "the"), so that a "not" before one of them reaches on.
    """
    tokens = _tokens(text)
    marks: list[Why | None] = [None] * len(tokens)
    _mark_numbers(tokens, marks)
    _mark_negation(tokens, marks, frozenset(heads), frozenset(fillers) | FILLERS)
    kept = (text[token.start : token.end] for token, mark in zip(tokens, marks, strict=True) if mark is None)
    wanted = " ".join(word for word in kept if any(letter.isalnum() for letter in word))
    return Sentence(wanted, tuple(_phrases(text, tokens, marks)))


def _tokens(text: str) -> list[_Token]:
    tokens = []
    for match in _TOKEN.finditer(text):
        kind, start, end = str(match.lastgroup), match.start(), match.end()
        if kind == "number":  # a full stop behind it belongs to the line
            end = start + len(match.group().rstrip(".!?:"))
        word = _APOSTROPHE.sub("", text[start:end].casefold())
        tokens.append(_Token(kind, word, start, end, text[start - 1 : start] == "-"))
    return tokens


def _mark_numbers(tokens: list[_Token], marks: list[Why | None]) -> None:
    """Numbers with what belongs to them: "under $50", "50 % off", "size 32", "XL"."""
    for at, token in enumerate(tokens):
        before = tokens[at - 1].word if at else ""
        sized = token.word in SIZES or (token.word in SHORT_SIZES and before in ("size", "sizes"))
        if token.kind not in ("number", "sign") and not sized:
            continue
        first, last = at, at
        while first and tokens[first - 1].kind in ("word", "sign") and _belongs_before(tokens[first - 1]):
            first -= 1
        while first < at and tokens[first].word not in TELLING_BEFORE and tokens[first].kind == "word":
            first += 1  # "blue for $50": "for" is no part of the price
        while last + 1 < len(tokens) and _belongs_after(tokens, last + 1):
            last += 1
        marks[first : last + 1] = ["number"] * (last + 1 - first)


def _belongs_before(token: _Token) -> bool:
    return token.kind == "sign" or token.word in BEFORE_NUMBER


def _belongs_after(tokens: list[_Token], at: int) -> bool:
    token = tokens[at]
    if token.kind in ("sign", "number"):
        return True
    if token.kind != "word" or token.word not in AFTER_NUMBER:
        return False
    following = tokens[at + 1] if at + 1 < len(tokens) else None
    if token.word not in JOINING:
        return True
    return following is not None and (following.kind in ("number", "sign") or following.word in ("less", "more"))


def _mark_negation(
    tokens: list[_Token], marks: list[Why | None], heads: frozenset[str], fillers: frozenset[str]
) -> None:
    at = 0
    while at < len(tokens):
        if marks[at] is not None or not (cue := _cue(tokens, at)):
            at += 1
            continue
        begin = at
        if cue == "behind":
            marks[at - 1 : at + 1] = ["negation"] * 2
            at += 1
            continue
        if at and tokens[at].word in EXCEPT_AFTER and tokens[at - 1].word in EXCEPT_AFTER[tokens[at].word]:
            begin = at - 1
        end = _reach(tokens, at, heads, fillers, whole_clause=cue == "clause")
        for position in range(begin, end):
            marks[position] = marks[position] or "negation"
        at = max(end, at + 1)


def _cue(tokens: list[_Token], at: int) -> Literal["", "phrase", "clause", "behind"]:
    """Whether a denial begins here, and how far such a one reaches; behind: it is of the word before it."""
    token, before = tokens[at], tokens[at - 1] if at else None
    if token.word in EXCEPT_AFTER and before is not None and before.word in EXCEPT_AFTER[token.word]:
        return "clause"
    if (
        token.word in FREE_OF
        and before is not None
        and before.kind == "word"
        and (token.joined or token.word == "free")
    ):
        return "behind"
    if token.kind in ("minus", "cue") or token.word in NOT:
        return "phrase"
    likely = [token.word]
    if token.kind == "word" and len(token.word) >= LONG_CUE:
        likely += difflib.get_close_matches(token.word, LONG_CUES, 1, LIKE_A_CUE)
    if EXCEPT.intersection(likely):
        return "clause"
    return "phrase" if NOT.intersection(likely) else ""


def _reach(tokens: list[_Token], at: int, heads: frozenset[str], fillers: frozenset[str], whole_clause: bool) -> int:
    """The place behind the last word of a denial that begins at `at`."""
    said = listed = False
    end = at + 1
    while end < len(tokens):
        token = tokens[end]
        if token.kind == "stop":
            if token.word not in (",", "|") or not _list_goes_on(tokens, end):
                break
            listed = True
        elif said and token.word in TURNS:
            break
        elif token.word in LISTS:
            listed = said
        elif said and not listed and token.word in heads and not whole_clause:
            break
        elif token.word not in fillers:
            said, listed = True, False
        end += 1
    return end


def _list_goes_on(tokens: list[_Token], comma: int) -> bool:
    """Whether a comma stands within a list that ends in "or": "no stripes, dots or flowers"."""
    for token in tokens[comma + 1 :]:
        if token.kind == "stop" and token.word not in (",", "|"):
            return False
        if token.word in TURNS or token.word in NOT:
            return False
        if token.word in ("or", "nor"):
            return True
    return False


def _phrases(text: str, tokens: list[_Token], marks: list[Why | None]) -> Iterator[LeftOut]:
    at = 0
    while at < len(tokens):
        mark, end = marks[at], at + 1
        while mark is not None and end < len(tokens) and marks[end] == mark:
            end += 1
        if mark is not None:
            yield LeftOut(" ".join(text[tokens[at].start : tokens[end - 1].end].split()), mark)
        at = end
