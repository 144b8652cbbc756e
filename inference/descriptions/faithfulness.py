"""Does a text say all that is known about a product, and nothing else?

Belongs here: finding the claims of a text and holding them against the facts. Not here: the words (wording.yaml,
banned_claims.yaml), what happens to a text that fails (publish.py).

Four questions, as in the literature on product listings: is every fact mentioned (coverage), is a value claimed that
nobody stated (unsupported), is another value of a stated attribute claimed, or a fact denied (contradiction), is a
claim made that may never be made (banned). The check leans to strictness: a false alarm costs a retry, a missed
invention is published.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from inference.descriptions.facts import ARTICLE_TYPE, ProductFacts
from inference.descriptions.matching import Token, denied_tokens, phrase_words, stem, tokenise, without
from inference.descriptions.wording import HERE, Reading, Wording, value_key

NEAR = 4
COMPANION_REACH = 12
_DETERMINERS = frozenset({"a", "an", "the", "this", "these", "our", "your"})
_POINTING = frozenset({"this", "these"})


@dataclass(frozen=True)
class Claim:
    """Words of a text that say something about the product.

    Attributes:
        text: the words as written. start, end: their characters.
        readings: what they may mean; the claim holds if one of them does.
        denied: a negation reaches them.
    """

    text: str
    start: int
    end: int
    readings: tuple[Reading, ...]
    denied: bool


@dataclass(frozen=True)
class Finding:
    """One fault of a text: the attribute (or the category of a banned claim) and the words at fault."""

    about: str
    text: str


@dataclass(frozen=True)
class Findings:
    """What the check found. A text may be published when `faithful`.

    Attributes:
        stated: attributes that must be mentioned. missing: those that are not.
        unsupported, contradictions, banned: faults, in the order of the text.
    """

    stated: tuple[str, ...]
    missing: tuple[str, ...]
    unsupported: tuple[Finding, ...]
    contradictions: tuple[Finding, ...]
    banned: tuple[Finding, ...]

    @property
    def coverage(self) -> float:
        """Share of the facts that are mentioned, in [0, 1]; 1 where there are none."""
        return 1.0 - len(self.missing) / len(self.stated) if self.stated else 1.0

    @property
    def faithful(self) -> bool:
        return not (self.missing or self.unsupported or self.contradictions or self.banned)

    def feedback(self, facts: ProductFacts) -> list[str]:
        """What was wrong, one sentence each, for a writer that tries again."""
        said = [f"Mention the {_label(key)}: {facts.values[key]}." for key in self.missing]
        said += [f'Remove "{fault.text}": nothing known about the product supports it.' for fault in self.unsupported]
        said += [
            f'Correct "{fault.text}": the {_label(fault.about)} is {facts.values.get(fault.about, "another")}.'
            for fault in self.contradictions
        ]
        said += [f'Remove "{fault.text}": claims about {fault.about} are not allowed.' for fault in self.banned]
        return list(dict.fromkeys(said))

    def as_dict(self) -> dict[str, object]:
        """Plain data for column `checks` of table `descriptions`."""
        return {
            "coverage": round(self.coverage, 4),
            "missing": list(self.missing),
            "unsupported": [[fault.about, fault.text] for fault in self.unsupported],
            "contradictions": [[fault.about, fault.text] for fault in self.contradictions],
            "banned": [[fault.about, fault.text] for fault in self.banned],
        }


def brand_pattern(brands: Iterable[str], wording: Wording) -> re.Pattern[str] | None:
    """Finds the brands of a catalogue in a text, as written; None where there are none to find.

    A description names no brand (see facts.py), least of all another one. A brand made of nothing but words of the
    vocabulary ("Denim") or of our own sentences ("Step", "Only") cannot be distinguished from them and is left out.
    """
    names = {name.strip() for name in brands if len(name.strip()) > 2}
    if not names:
        return None
    ours = {token.word for token in tokenise((HERE / "sentences.yaml").read_text(encoding="utf-8"))}
    searched = sorted(name for name in names if name not in wording.readings and not set(phrase_words(name)) <= ours)
    return re.compile(r"\b(?:" + "|".join(map(re.escape, searched)) + r")\b") if searched else None


def check_text(text: str, facts: ProductFacts, wording: Wording, brands: re.Pattern[str] | None = None) -> Findings:
    """Hold a text against the facts of its product. `brands` comes from `brand_pattern`.

    Source of the four measures: Chan et al., Stick to the Facts, EMNLP 2019 (coverage, fidelity); the order of cheap
    rules before any judge: ECNLP 2024, hallucination detection in product listings.
    """
    tokens = tokenise(text)
    values = dict(facts.values)
    implied = dict(wording.article(facts.article_type).implies) if facts.article_type else {}
    covered, unsupported, contradictions = set[str](), list[Finding](), list[Finding]()
    if _names_article(tokens, facts, wording):
        # "sports shoes" says the type and, with it, the usage that the type settles.
        covered |= {ARTICLE_TYPE, *(key for key, value in implied.items() if values.get(key) == value)}
    named = list[Claim]()
    own_name = value_key(wording.article(facts.article_type).noun) if facts.article_type else ()
    for claim in find_claims(text, wording, tokens):
        if value_key(claim.text) == own_name and not claim.denied:
            continue  # also where a shop has a type that we know only as "no type of ours"
        covered |= _covered_by(claim, values)
        named += [claim] if _covered_by(claim, values) else []
        fault = _fault_of(claim, values, implied)
        if fault is not None:
            (contradictions if fault.about in values else unsupported).append(fault)
    numbers = (token for token in tokens if token.word[:1].isdigit() and token.word != "3/4")
    unsupported += [Finding("number", text[token.start : token.end]) for token in numbers]
    unsupported += [Finding("brand", match.group()) for match in (brands.finditer(text) if brands else ())]
    banned = tuple(
        Finding(match.meaning[0], text[tokens[match.first].start : tokens[match.last].end])
        for match in wording.banned.find(tokens)
        if not _is_own_name(tokens[match.first : match.last + 1], named, values)
    )
    missing = tuple(key for key in values if key not in covered)
    return Findings(tuple(values), missing, tuple(unsupported), tuple(contradictions), banned)


def find_claims(text: str, wording: Wording, tokens: Sequence[Token] | None = None) -> Iterator[Claim]:
    """Everything a text says about the attributes of a product, from left to right."""
    tokens = without(tokenise(text) if tokens is None else tokens, wording.idioms)
    denied = denied_tokens(tokens, wording.negators, wording.not_negators)
    index = 0
    while index < len(tokens):
        match = wording.readings.at(tokens, index)
        readings = match.meaning if match else _near_readings(tokens, index, wording)
        last = match.last if match else index
        readings = tuple(r for r in readings if not _is_no_claim(tokens, index, r, wording))
        if readings:
            start, end = tokens[index].start, tokens[last].end
            # A phrase that holds its own negation ("no pockets") is not denied by it.
            own = any(token.word in ("no", "without", "free") for token in tokens[index : last + 1])
            yield Claim(text[start:end], start, end, readings, index in denied and not own)
        index = last + 1


def _covered_by(claim: Claim, values: dict[str, str]) -> set[str]:
    if claim.denied:
        return set()
    return {r.attribute for r in claim.readings if r.exact and _holds(r, values)}


def _fault_of(claim: Claim, values: dict[str, str], implied: dict[str, str]) -> Finding | None:
    """The fault of a claim, filed under a stated attribute when it contradicts one."""
    holds = [r for r in claim.readings if _holds(r, values) or _holds(r, implied)]
    about = next((r.attribute for r in claim.readings if r.attribute in values), claim.readings[0].attribute)
    if claim.denied:
        # Denying another value of a stated attribute is true ("no stripes" on a solid shirt); of an unstated one,
        # invented.
        if holds:
            return Finding(holds[0].attribute, claim.text)
        return None if any(r.attribute in values for r in claim.readings) else Finding(about, claim.text)
    return None if holds else Finding(about, claim.text)


def _is_own_name(words: Sequence[Token], named: Sequence[Claim], values: dict[str, str]) -> bool:
    """A banned word that is part of a fact's own name: "comfort" in "a comfort fit" on a product of Comfort Fit."""
    wanted, start, end = {token.stem for token in words}, words[0].start, words[-1].end
    return any(
        claim.start <= start
        and end <= claim.end
        and end - start < claim.end - claim.start
        and wanted <= set(value_key(values[r.attribute]))
        for claim in named
        for r in claim.readings
        if r.attribute in values
    )


def _holds(reading: Reading, values: dict[str, str]) -> bool:
    value = values.get(reading.attribute)
    return reading.modelled and value is not None and value_key(value) == value_key(reading.value)


def _near_readings(tokens: Sequence[Token], index: int, wording: Wording) -> tuple[Reading, ...]:
    """What a common word means beside the nearest noun that makes it a claim."""
    best, readings = NEAR + 1, list[Reading]()
    for near in wording.near_words.get(tokens[index].stem, ()):
        distance = _distance_to_head(
            tokens, index, near.heads, wording.article_nouns if near.before_article else frozenset()
        )
        if distance < best:
            best, readings = distance, [near.reading]
        elif distance == best and distance <= NEAR:
            readings.append(near.reading)
    return tuple(readings)


def _distance_to_head(tokens: Sequence[Token], index: int, heads: frozenset[str], following: frozenset[str]) -> int:
    for distance in range(1, NEAR + 1):
        for position in (index + distance, index - distance):
            if 0 <= position < len(tokens) and tokens[position].sentence == tokens[index].sentence:
                neighbour = tokens[position].stem
                if neighbour and (neighbour in heads or (position > index and neighbour in following)):
                    return distance
    return NEAR + 1


def _is_no_claim(tokens: Sequence[Token], index: int, reading: Reading, wording: Wording) -> bool:
    """An article's name that is an everyday word here, or a piece worn with the product."""
    if reading.attribute != ARTICLE_TYPE:
        return False
    before = [t for t in tokens[max(0, index - 3) : index] if t.sentence == tokens[index].sentence]
    words = [t.word for t in before]
    everyday = reading.modelled and wording.article(reading.value).common
    if everyday and before and (not _DETERMINERS & set(words) or _has_noun(before, wording)):
        return True
    return not _POINTING & set(words) and _is_companion(tokens, index, wording)


def _has_noun(before: Sequence[Token], wording: Wording) -> bool:
    """Whether the determiner already has its noun: in "these trousers tie", tie is a verb."""
    determiner = max(i for i, token in enumerate(before) if token.word in _DETERMINERS)
    return any(token.stem in wording.article_nouns for token in before[determiner + 1 :])


def _is_companion(tokens: Sequence[Token], index: int, wording: Wording) -> bool:
    sentence = [t for t in tokens[:index] if t.sentence == tokens[index].sentence]
    verbs = any(t.stem in wording.companion_verbs or t.word in wording.companion_verbs for t in sentence)
    return verbs and any(t.word in wording.companion_prepositions for t in sentence[-COMPANION_REACH:])


def _names_article(tokens: Sequence[Token], facts: ProductFacts, wording: Wording) -> bool:
    """Whether the product is called by its own name, which may be one that only a rule knows."""
    if not facts.article_type:
        return False
    words = [stem(word) for word in phrase_words(wording.article(facts.article_type).noun)]
    stems = [token.stem for token in tokens]
    return any(stems[i : i + len(words)] == words for i in range(len(stems) - len(words) + 1))


def _label(key: str) -> str:
    return key.replace("_", " ")
