"""The grammar writer: sentences from plans, faithful by construction, the same text for the same product and model.

Belongs here: which fact goes into which part of a sentence, agreement, a and an. Not here: the plans (sentences.yaml),
how a value is said (wording.yaml).

A fact can stand in four places: before the noun ("slim-fit"), in the cloth ("striped navy blue cotton"), in a list of
details ("a spread collar"), or in a verb ("zips up"). Each fact is placed once: the opening sentence says some, the
next says the rest.
"""

import hashlib
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inference.descriptions.facts import ARTICLE_TYPE, GENDER, ProductFacts
from inference.descriptions.matching import tokenise
from inference.descriptions.wording import ArticleWords, Wording, data_digest, read_data, value_key
from inference.descriptions.writer import Draft

WHOSE = {"Men": "men's", "Women": "women's", "Boys": "boys'", "Girls": "girls'", "Unisex": "unisex"}
CODA = ("usage", "season")
CLOTH = ("base_colour", "pattern", "fabric")
LEAD_ORDER = (
    "fit", "sleeve_length", "shape", "length", "collar", "neck", "closure", "toe_shape", "ankle_height", "strap_type",
)  # fmt: skip
DETAIL_ORDER = (
    "neck", "collar", "sleeve_length", "pattern", "toe_shape", "heel_type", "strap_type", "closure", "ankle_height",
    "pocket_type",
)  # fmt: skip
# Values that read badly as anything but an adjective ("with a knee length", "with a sleeveless cut").
ALWAYS_LEAD = frozenset({"Sleeveless", "Hooded", "High-Top", "Cropped", "Full Length", "Knee Length", "Mini", "Maxi"})
LEAD_SHARE = {"fit": 0.6, "shape": 0.7, "closure": 0.3, "neck": 0.2, "toe_shape": 0.15, "strap_type": 0.3}
MOST_LEADS = 2
MOST_DETAILS = 3
STYLE_SHARE, USAGE_LEAD_SHARE, SEASON_INLINE_SHARE = 0.75, 0.55, 0.5
LONE_LEFTOVER, MANY_LEFTOVERS = 0.3, 0.6  # how much rarer an opening becomes that leaves one fact, or four and more


@dataclass
class _Plan:
    """One product's facts, divided among the places of a sentence.

    Attributes:
        lead, before_noun: adjectives; `before_noun` stands right at the noun, after the possessive.
        cloth: what follows "in". cloth_says: which of colour, pattern and fabric it names.
        details: phrases that follow "with", negative ones last.
        closes: the closure as a verb, singular and plural; None where it is a detail or unknown.
        coda: usage and season that no other part says.
    """

    facts: ProductFacts
    article: ArticleWords
    lead: list[str]
    before_noun: list[str]
    cloth: str
    cloth_says: frozenset[str]
    details: list[str]
    fit: str
    closes: tuple[str, str] | None
    coda: dict[str, str]


class GrammarWriter:
    """Writes from sentence plans.

    Args:
        seed: changes every choice of plan; the model's version, so that a new model's texts differ from the old one's.
    """

    name = "grammar"
    model_version = ""

    def __init__(self, wording: Wording, seed: str = "") -> None:
        self._wording = wording
        self._seed = seed
        self._plans: dict[str, Any] = read_data("sentences.yaml")
        self._acts: dict[tuple[str, ...], Mapping[str, list[str]]] = {
            value_key(value): acts for value, acts in self._plans["closes"].items()
        }
        files = data_digest("sentences.yaml", "wording.yaml", "articles.yaml")
        self.prompt_version = f"sentences-{self._plans['version']}-{files}"

    def write(self, facts: ProductFacts, feedback: Sequence[str] = ()) -> Draft:
        """A description that states every fact of `facts` once; after feedback, another choice of plans."""
        rng = random.Random(hashlib.sha256(f"{facts.product_id}/{self._seed}/{len(feedback)}".encode()).digest())
        plan = self._place(facts, rng)
        sentences = [self._opening(plan, rng), *self._following(plan, rng), *self._coda(plan, rng)]
        style = self._style(plan, rng)
        return Draft(" ".join([*map(_finished, sentences), style]).strip(), style)

    # -- placing facts ------------------------------------------------------------------------------------------------

    def _place(self, facts: ProductFacts, rng: random.Random) -> _Plan:
        article = self._wording.article(facts.article_type, facts.master_category)
        left = {key: value for key, value in facts.values.items() if key not in (ARTICLE_TYPE, GENDER, *CODA)}
        plan = _Plan(facts, article, self._take_lead(left, article.family, rng), [], "", frozenset(), [], "", None, {})
        self._take_coda(plan, rng)
        self._take_cloth(left, plan, rng)
        if facts.article_type == "Heels" and "heel_type" in left:  # "stiletto heels", not "heels with a stiletto heel"
            plan.before_noun.append(left.pop("heel_type").lower())
        plan.fit = left.pop("fit", "")
        plan.closes = self._take_closure(left, article, rng)
        order = [*(key for key in DETAIL_ORDER if key in left), *(key for key in left if key not in DETAIL_ORDER)]
        plan.details = sorted((self._wording.saying(key, left[key]).phrase for key in order), key=_is_negative)
        return plan

    def _take_lead(self, left: dict[str, str], family: str, rng: random.Random) -> list[str]:
        """Adjectives before the noun: those that can stand nowhere else, and others while there are few."""
        misleading = {value for value, families in self._plans["never_before"].items() if family in families}
        leads = [key for key in LEAD_ORDER if left.get(key) in ALWAYS_LEAD]
        for key in LEAD_ORDER:
            wanted = rng.random() < LEAD_SHARE.get(key, 0.0)
            if wanted and left.get(key, "") not in {"", *misleading} and key not in leads and len(leads) < MOST_LEADS:
                leads.append(key)
        said = {key: self._wording.saying(key, left[key]).adjective for key in LEAD_ORDER if key in leads}
        for key, adjective in said.items():
            if adjective:
                del left[key]
        return [adjective for adjective in said.values() if adjective]

    def _take_cloth(self, left: dict[str, str], plan: _Plan, rng: random.Random) -> None:
        """Colour, pattern and fabric: words before the noun, the phrase after "in", or the pattern as a detail."""
        cloth = {key: left.pop(key) for key in CLOTH if key in left}
        implied = "" if "fabric" in cloth or "base_colour" not in cloth else plan.article.implies.get("fabric", "")
        cloth |= {"fabric": implied} if implied else {}
        colour, pattern, fabric = (
            self._wording.saying(key, cloth[key]).adjective if key in cloth else "" for key in CLOTH
        )
        fabric = fabric.replace("-", " ")
        hue = (
            self._wording.saying("base_colour", cloth["base_colour"]).phrase if colour else ""
        )  # by itself, after "in"
        solid = value_key(cloth.get("pattern", "")) == ("solid",)
        roll = rng.random() if len(plan.lead) < MOST_LEADS else 0.0
        if not colour and not fabric:
            left |= cloth
        elif pattern and not solid and (roll > 0.8 or not fabric):  # "in navy blue cotton, with a striped pattern"
            left["pattern"] = cloth.pop("pattern")
            plan.cloth, plan.cloth_says = _spaced(colour, fabric) if fabric else hue, frozenset(cloth)
        elif roll > 0.5 and fabric and colour and not implied:  # "a striped cotton shirt in navy blue"
            plan.before_noun = [fabric if solid else _spaced(pattern, fabric)]
            plan.cloth, plan.cloth_says = f"solid {colour}" if solid else hue, frozenset({"base_colour"})
        else:
            first_pattern = solid or rng.random() < 0.5
            words = (pattern, colour, fabric) if first_pattern else (colour, pattern, fabric)
            plan.cloth, plan.cloth_says = _spaced(*words) if pattern or fabric else hue, frozenset(cloth)

    def _take_coda(self, plan: _Plan, rng: random.Random) -> None:
        """Usage and season; the usage now and then as an adjective, never where the name says it ("sports shoes")."""
        values, implied = plan.facts.values, plan.article.implies
        plan.coda = {key: values[key] for key in CODA if key in values and implied.get(key) != values[key]}
        adjective = self._wording.saying("usage", plan.coda["usage"]).adjective if "usage" in plan.coda else ""
        wanted = rng.random() < USAGE_LEAD_SHARE and len(plan.lead) < MOST_LEADS
        if wanted and adjective and "usage" not in implied and not self._names_another(adjective, plan.article.noun):
            plan.lead.insert(0, adjective)
            del plan.coda["usage"]

    def _names_another(self, adjective: str, noun: str) -> bool:
        """Whether the two run together into something else: casual + shoe accessories begins with casual shoes."""
        match = self._wording.readings.at(tokenise(f"{adjective} {noun}"), 0)
        return match is not None and match.last >= len(tokenise(adjective))

    def _take_closure(self, left: dict[str, str], article: ArticleWords, rng: random.Random) -> tuple[str, str] | None:
        acts = self._acts.get(value_key(left.get("closure", "")), {})
        forms = acts.get(article.family, acts.get("other"))
        if not forms:
            return None
        del left["closure"]
        singular, plural = rng.choice(forms).split("|")
        return singular, plural

    # -- sentences ----------------------------------------------------------------------------------------------------

    def _opening(self, plan: _Plan, rng: random.Random) -> str:
        fitting = [opener for opener in self._plans["openers"] if _can_open(opener, plan)]
        text = rng.choices(fitting, [_weight(opener["text"], plan) for opener in fitting])[0]["text"]
        count = _details_named(text, plan)
        taken, plan.details = plan.details[:count], plan.details[count:]
        slots = {
            "a_noun": self._noun(plan, "" if plan.article.plural else "a", rng),
            "this_noun": self._noun(plan, "these" if plan.article.plural else "this", rng),
            "in": f" in {plan.cloth}" if plan.cloth else "",
            "cloth": plan.cloth,
            "pair": " and ".join(taken),
            "all": _listed(taken),
            "one": taken[0] if taken else "",
            "other": taken[-1] if taken else "",
            **self._verbs(plan),
        }
        plan.fit = "" if "{a_fit}" in text else plan.fit
        plan.closes = None if "{closes}" in text else plan.closes
        sentence = _filled(text, slots, plan.article.plural)
        if (
            "season" in plan.coda
            and not (taken or plan.details or plan.fit or plan.closes)
            and rng.random() < SEASON_INLINE_SHARE
        ):
            sentence = f"{sentence[:-1]} for {self._wording.saying('season', plan.coda.pop('season')).phrase}."
        return sentence

    def _noun(self, plan: _Plan, determiner: str, rng: random.Random) -> str:
        whose = WHOSE.get(plan.facts.gender, "")
        whose_first = bool(plan.before_noun) or rng.random() < 0.4
        words = [whose, *plan.lead] if whose_first else [*plan.lead, whose]
        return _spaced(determiner, *words, *plan.before_noun, plan.article.noun)

    def _following(self, plan: _Plan, rng: random.Random) -> list[str]:
        unsaid = ("f" if plan.fit else "") + ("c" if plan.closes else "") + ("d" if plan.details else "")
        if not unsaid:
            return []
        affirmed = not any(map(_is_negative, plan.details))
        verbs = self._verbs(plan)
        usable = [
            follow["text"]
            for follow in self._plans["follows"][unsaid]
            if (affirmed or not follow.get("affirmed")) and (verbs["fit"] or "{fit}" not in follow["text"])
        ]
        several = len(plan.details) > 1 or (bool(plan.details) and not re.match(r"an? ", plan.details[0]))
        slots = {
            "all": _listed(plan.details),
            "it": "they" if plan.article.plural else "it",
            **verbs,
        }
        return [_filled(rng.choice(usable), slots, plan.article.plural, several)]

    def _verbs(self, plan: _Plan) -> dict[str, str]:
        fit = self._wording.saying("fit", plan.fit) if plan.fit else None
        return {
            "fit": fit.predicate if fit else "",
            "a_fit": fit.phrase if fit else "",
            "closes": plan.closes[plan.article.plural] if plan.closes else "",
        }

    def _coda(self, plan: _Plan, rng: random.Random) -> list[str]:
        """When and for what the product is worn."""
        if not plan.coda:
            return []
        slots = {key: self._wording.saying(key, value).phrase for key, value in plan.coda.items()}
        slots["one"] = "a pair" if plan.article.family in ("shoe", "bottom") and plan.article.plural else "one"
        texts = self._plans["codas"]["".join(key[0] for key in plan.coda)]
        return [_filled(rng.choice(texts), slots, plan.article.plural)]

    def _style(self, plan: _Plan, rng: random.Random) -> str:
        fitting = [line["text"] for line in self._plans["style"] if is_licensed(line, plan.facts, plan.article)]
        wanted = rng.random() < STYLE_SHARE
        return _filled(rng.choice(fitting), {}, plan.article.plural) if fitting and wanted else ""


def is_licensed(line: Mapping[str, Any], facts: ProductFacts, article: ArticleWords) -> bool:
    """Whether a style phrase may stand under a product: by family, type, gender and the values it needs."""
    return (
        article.family in line.get("families", [article.family])
        and facts.article_type in line.get("types", [facts.article_type])
        and facts.gender in line.get("genders", [facts.gender])
        and all(facts.values.get(key) in values for key, values in line.get("when", {}).items())
    )


def _can_open(opener: Mapping[str, Any], plan: _Plan) -> bool:
    text, needs = opener["text"], set(opener.get("needs", ()))
    details = [d for d in plan.details if not _is_negative(d)] if opener.get("affirmed") else plan.details
    return (
        ("cloth" not in needs or bool(plan.cloth))
        and needs - {"cloth"} <= plan.cloth_says
        and ("{closes}" not in text or plan.closes is not None)
        and ("{a_fit}" not in text or bool(plan.fit))
        and ("{all}" not in text or 0 < len(plan.details) <= MOST_DETAILS)
        and plan.article.family in opener.get("families", [plan.article.family])
        and _details_named(text, plan) <= len(details)
    )


def _weight(text: str, plan: _Plan) -> float:
    left = len(plan.details) - _details_named(text, plan)
    left += bool(plan.fit) and "{a_fit}" not in text
    left += plan.closes is not None and "{closes}" not in text
    return LONE_LEFTOVER if left == 1 else MANY_LEFTOVERS if left > 3 else 1.0


def _details_named(text: str, plan: _Plan) -> int:
    if "{all}" in text:
        return len(plan.details)
    return 2 if "{pair}" in text or "{other}" in text else 0


def _is_negative(detail: str) -> bool:
    return detail.startswith("no ")


def _spaced(*words: str) -> str:
    return " ".join(word for word in words if word)


def _listed(phrases: Sequence[str]) -> str:
    return " and ".join([", ".join(phrases[:-1]), phrases[-1]] if len(phrases) > 1 else phrases)


def _filled(text: str, slots: Mapping[str, str], plural: bool, several: bool = False) -> str:
    text = re.sub(r"\[([^|\]]*)\|([^\]]*)\]", lambda match: match.group(2 if plural else 1), text)
    text = re.sub(r"<([^|>]*)\|([^>]*)>", lambda match: match.group(2 if several else 1), text)
    return re.sub(r"\{(\w+)\}", lambda match: slots[match.group(1)], text)


def _finished(sentence: str) -> str:
    """a or an by sound, then a capital."""
    sentence = re.sub(r"\ba (?=(?!uni|one\b|eu)[aeiouAEIOU])", "an ", sentence)
    return sentence[:1].upper() + sentence[1:]
