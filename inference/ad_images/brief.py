"""Briefs: a request held to its rules, and everything it leaves out filled in, each with the reason.

Belongs here: the fields' rules, subject, theme, support and size. Not here: what a prompt may not say (guardrails/),
the product's own pixels (cutouts/), words of a caption (captions.py).

What an article type is to an ad is data (articles.yaml), for each of the catalogue's types. The words of a listing
choose a theme and are said nowhere; the subject is made of values that our wording has, so that a listing cannot put
words into a caption.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

from catalog.errors import SelvedgeError
from catalog.schema import load_schema
from catalog.values import is_missing
from catalog.yaml_files import read_yaml
from inference.ad_images.plan import Support
from inference.ad_images.refusal import AdRefused, RefusalCode
from inference.ad_images.request import AdBrief, AdRequest, ListedProduct, OnModel
from inference.ad_images.themes import Theme, theme, theme_names
from inference.descriptions.grammar import WHOSE
from inference.descriptions.matching import PhraseBook, Token, denied_tokens, tokenise
from inference.descriptions.wording import Wording, value_key, wording_of

ARTICLES = Path(__file__).with_name("articles.yaml")
REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
PERSON_CM = 170.0  # of a grown person, standing
MOST_SIDE = 8192  # pixels
MOST_SEED = 2**63 - 1
PLACING = frozenset(
    ("on", "in", "at", "by", "beside", "near", "with", "before", "behind", "under", "over", "against", "among")
)
SAID = ("pattern", "base_colour", "fabric")  # attributes in a subject, in this order
UNSAID = {("pattern", "Solid")}
WORD_SCORE, TITLE_SCORE, USAGE_SCORE, SEASON_SCORE = 10.0, 1.5, 1.0, 1.0
LEVEL = 0.5  # themes this near to the best are as good; the seed takes one


@dataclass(frozen=True)
class ArticleScene:
    """What an article type is to an ad.

    Attributes:
        support: what carries it. height_cm: standing height, or longer side as it lies.
        themes: theme → weight of the prior. name: what the entry is called, for reasons.
    """

    name: str
    support: Support
    height_cm: float
    themes: Mapping[str, float]


def write_brief(request: AdRequest, support: Support | None = None, height_cm: float | None = None) -> AdBrief:
    """The brief of a request.

    Args:
        support, height_cm: where the caller knows them better than the article type does.

    Raises:
        AdRefused: a field is no value of its kind, or there is no such theme.
    """
    check_request(request)
    if height_cm is not None and not 0 < height_cm < 1000:
        raise AdRefused(RefusalCode.BAD_REQUEST, f"a product is not {height_cm} cm high; give 0.1 to 1000.")
    inferred: dict[str, str] = {}
    article, article_reason = article_scene(request)
    if support is None:
        support, inferred["support"] = _support(request, article, article_reason)
    if height_cm is None:
        height_cm, inferred["height_cm"] = article.height_cm, f"usual size; {article_reason}"
    subject, inferred["subject"] = _subject(request)
    name = request.theme
    if name is None:
        name, inferred["theme"] = choose_theme(request, article)
    return AdBrief(request, subject, name, support, height_cm, inferred)


def with_person(brief: AdBrief) -> AdBrief:
    """The brief of a photograph whose person is kept: people stand, on the floor that carries them."""
    why = "the person who wears it is kept"
    reasons = {**brief.inferred, "support": why, "height_cm": why}
    return replace(brief, support=Support.STANDS, height_cm=PERSON_CM, inferred=reasons)


def check_request(request: AdRequest) -> None:
    """Raises AdRefused where a field is no value of its kind."""
    if not isinstance(request.request_id, str) or not REQUEST_ID.fullmatch(request.request_id):
        raise _bad(f"request id {request.request_id!r:.60} is not 1 to 100 letters, digits, '-' and '_'.")
    if not isinstance(request.photo, bytes):
        raise _bad(f"a photograph is the bytes of an image file, not {type(request.photo).__name__}.")
    if not request.photo:
        raise AdRefused(RefusalCode.PHOTO_UNREADABLE, "the photograph is an empty file; give the whole file.")
    _check_size(request.size)
    seed = request.seed
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= MOST_SEED:
        raise _bad(f"seed {seed!r:.60} is not a whole number from 0 on.")
    if not isinstance(request.on_model, OnModel):
        raise _bad(f"the policy {request.on_model!r:.60} for photographs on a model is not refuse or keep.")
    for field, value in (("prompt", request.prompt), ("theme", request.theme), ("asset", request.asset)):
        if value is not None:
            _check_text(field, value)
    if request.theme is not None and request.theme not in theme_names():
        names = ", ".join(theme_names())
        raise AdRefused(RefusalCode.NO_ASSET, f"there is no theme {request.theme!r:.60}; choose one of {names}.")


def _check_size(size: object) -> None:
    numbers = isinstance(size, tuple) and len(size) == 2 and all(type(side) is int for side in size)
    if not isinstance(size, tuple) or not numbers:
        raise _bad(f"size {size!r:.60} is not (width, height) in whole pixels.")
    if min(size) < 1 or max(size) > MOST_SIDE:
        raise AdRefused(
            RefusalCode.BAD_SIZE, f"{size[0]} x {size[1]} pixels cannot be made; each side is 1 to {MOST_SIDE}."
        )


def _check_text(field: str, value: object) -> None:
    if not isinstance(value, str):
        raise _bad(f"the {field} is {type(value).__name__}, not text.")
    if not value.strip():
        raise _bad(f"the {field} is empty; write one, or leave it out.")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise _bad(f"the {field} holds half a character (a lone surrogate); send it as UTF-8.")


def _bad(sentence: str) -> AdRefused:
    return AdRefused(RefusalCode.BAD_REQUEST, sentence)


# -- support and size -----------------------------------------------------------------------------------------------


def article_scene(request: AdRequest) -> tuple[ArticleScene, str]:
    """What the product is to an ad, and on what grounds that is said."""
    data = _articles()
    product = request.product
    if product is not None and product.article_type in data.types:
        return data.types[product.article_type], f"article type {product.article_type!r:.40}"
    named = named_article(request.prompt or "")
    listed = f"article type {product.article_type!r:.40} is not listed" if product else "no product of the catalogue"
    if named is not None:
        return named, f"{named.name!r} in the prompt ({listed})"
    return data.default, f"{listed}: the default"


def _support(request: AdRequest, article: ArticleScene, reason: str) -> tuple[Support, str]:
    tokens = _tokens(request.prompt or "")
    asked = next((match.meaning[0] for match in _articles().views.find(tokens)), None)
    if asked is Support.STANDS and article.support is Support.LIES and request.product is not None:
        return article.support, f"{reason}, which cannot stand as the prompt asks"
    if asked is not None:
        return asked, "a word of the prompt"
    return article.support, reason


def named_article(prompt: str) -> ArticleScene | None:
    """The thing that a prompt names first, before any "on" or "beside": an article type, or an object of the list."""
    tokens = list(takewhile(lambda token: token.word not in PLACING, _tokens(prompt)))
    matches = list(_articles().nouns.find(tokens))
    return matches[0].meaning[0] if matches else None


# -- subject --------------------------------------------------------------------------------------------------------


def _subject(request: AdRequest) -> tuple[str, str]:
    product = request.product
    if product is None:
        named = named_article(request.prompt or "")
        if named is None:
            return "the product", "no product of the catalogue, and the prompt names none"
        return f"{_article_of(named.name)} {named.name}", "the thing that the prompt names"
    return subject_of(product), "attributes and columns of the catalogue"


def subject_of(product: ListedProduct) -> str:
    """Words for a listed product: gender, pattern, colour, fabric and noun, where our wording has them.

    "a men's navy blue shirt", "a pair of women's black heels".
    """
    wording = _wording()
    noun = wording.article(product.article_type if wording.knows("article_type", product.article_type) else "")
    values = {wording.key(name): value for name, value in product.attributes.items()}
    if not is_missing(product.colour):
        values.setdefault("base_colour", product.colour)
    words = [WHOSE.get(product.gender, "")]
    for key in SAID:
        value = values.get(key)
        if value is not None and (key, value) not in UNSAID and noun.implies.get(key) != value:
            words.append(_adjective(wording, key, value))
    phrase = " ".join([word for word in words if word] + [noun.noun])
    if noun.plural:
        return f"a pair of {phrase}"
    return f"{_article_of(phrase)} {phrase}"


def _adjective(wording: Wording, key: str, value: str) -> str:
    vocabulary_keys = {value_key(word) for word in wording.vocabulary.get(key, ())}
    return wording.saying(key, value).adjective if value_key(value) in vocabulary_keys else ""


def _article_of(phrase: str) -> str:
    return "an" if phrase[0].lower() in "aeio" or phrase.startswith(("umb", "und")) else "a"


# -- theme ----------------------------------------------------------------------------------------------------------


def choose_theme(request: AdRequest, article: ArticleScene) -> tuple[str, str]:
    """The theme that suits a request best, and why; between equals the seed and the product decide.

    Words of the prompt outweigh everything. Without any, the category's prior, usage, season and title are added up.
    """
    tokens = _tokens(request.prompt or "")
    named = _theme_scores(tokens)
    if named:
        best = max(named.values())
        first = next(name for name in theme_names() if named.get(name) == best)
        words = sorted({word for word in theme(first).words if _says(tokens, word)})
        return first, f"'{max(words, key=len)}' in the prompt"
    product = request.product
    if product is None:
        ranked = dict(article.themes)
        why = f"the usual scene of {article.name}"
    else:
        ranked = {name: _fit(theme(name), product, article) for name in theme_names()}
        grounds = [product.article_type, product.usage, product.season]
        why = "suits " + ", ".join(ground for ground in grounds if not is_missing(ground))
    best = max(ranked.values())
    level = sorted(name for name, score in ranked.items() if score >= best - LEVEL)
    key = f"{request.seed}:{product.product_id if product else hashlib.sha256(request.photo).hexdigest()}"
    drawn = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % len(level)
    return level[drawn], why if len(level) == 1 else f"{why}; one of {len(level)} that do, by the seed"


def _theme_scores(tokens: list[Token]) -> dict[str, float]:
    """Theme → words of it in a text; longer phrases count more, as "living room" says more than "room"."""
    scores: dict[str, float] = {}
    for match in _theme_words().find(tokens):
        for name in match.meaning:
            scores[name] = scores.get(name, 0.0) + 1 + 0.5 * (match.last - match.first)
    return scores


def _fit(candidate_theme: Theme, product: ListedProduct, article: ArticleScene) -> float:
    score = article.themes.get(candidate_theme.name, 0.0)
    if product.usage in candidate_theme.usages:
        score += USAGE_SCORE * 2 / (1 + len(candidate_theme.usages))
    if product.season in candidate_theme.seasons:
        score += SEASON_SCORE * 2 / (1 + len(candidate_theme.seasons))
    score += TITLE_SCORE * _theme_scores(_tokens(product.title)).get(candidate_theme.name, 0.0)
    return score if score > 0 and article.themes.get(candidate_theme.name, 0.0) > 0 else 0.0


def _says(tokens: list[Token], phrase: str) -> bool:
    book: PhraseBook[str] = PhraseBook()
    book.add(phrase, phrase)
    return any(True for _ in book.find(tokens))


# -- data -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Articles:
    types: Mapping[str, ArticleScene]
    default: ArticleScene
    nouns: PhraseBook[ArticleScene]
    views: PhraseBook[Support]


@cache
def _articles() -> _Articles:
    return read_articles(ARTICLES)


def read_articles(file: Path) -> _Articles:
    """articles.yaml, read.

    Raises:
        SelvedgeError: an entry names no group, or a group no support, size or themes.
    """
    data = read_yaml(file, "list of article scenes")
    try:
        groups = {name: _group(name, entry) for name, entry in data["groups"].items()}
        types = {name: _scene(name, entry, groups) for name, entry in data["types"].items()}
        objects = {name: _scene(name, entry, groups) for name, entry in data["objects"].items()}
        default = _group("a product of unknown kind", data["without_type"])
        said = [(phrase, Support(name)) for name, phrases in data["views"].items() for phrase in phrases]
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise SelvedgeError(
            f"list of article scenes {file} has a faulty entry ({error!r:.80}); see its head."
        ) from error
    nouns: PhraseBook[ArticleScene] = PhraseBook()
    wording = _wording()
    for name, scene in types.items():
        noun = wording.article(name).noun
        nouns.add(noun, ArticleScene(noun, scene.support, scene.height_cm, scene.themes))
    for noun, scene in objects.items():
        nouns.add(noun, scene)
    views: PhraseBook[Support] = PhraseBook()
    for phrase, support in said:
        views.add(phrase, support)
    return _Articles(types, default, nouns, views)


def _group(name: str, entry: Mapping[str, Any]) -> ArticleScene:
    weights = {str(each): float(weight) for each, weight in entry["themes"].items()}
    unknown = set(weights) - set(theme_names())
    if unknown or not weights:
        raise ValueError(f"{name}: themes {sorted(unknown)} are not in themes.yaml")
    return ArticleScene(name, Support(entry["support"]), float(entry["height_cm"]), weights)


def _scene(name: str, entry: list[Any], groups: Mapping[str, ArticleScene]) -> ArticleScene:
    group = groups[entry[0]]
    height = float(entry[1]) if len(entry) > 1 else group.height_cm
    support = Support(entry[2]) if len(entry) > 2 else group.support
    return ArticleScene(name, support, height, group.themes)


@cache
def _wording() -> Wording:
    return wording_of(load_schema())


@cache
def _theme_words() -> PhraseBook[str]:
    book: PhraseBook[str] = PhraseBook()
    for name in theme_names():
        for word in theme(name).words:
            book.add(word, name)
    return book


def _tokens(text: str) -> list[Token]:
    """Tokens of a text that nothing in it denies: "no beach" names no beach."""
    tokens = tokenise(text)
    denied = denied_tokens(tokens, _wording().negators, _wording().not_negators)
    return list(_blanked(tokens, denied))


def _blanked(tokens: list[Token], denied: set[int]) -> Iterator[Token]:
    for index, token in enumerate(tokens):
        yield Token("", "", token.start, token.end, token.sentence) if index in denied else token
