"""Comments: a reviewer's words, routed to what must change.

Belongs here: the rules for English remarks about size, place, turn, light, shadow, colours, scene and edge. Not here:
changing anything (adjustments.py), the guardrails that a person's words pass before they enter a caption.

A comment is cut into clauses; each is read by the first rule that fits. "not too small" asks for nothing, "no leaves"
asks for a scene without them. A clause that no rule understands is reported, never guessed at.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from inference.ad_images.adjustments import Adjustment

LONGEST = 1_000  # characters of a comment that are read
LONGEST_WISH = 8  # words of a wish that enter a caption
STEP, SHIFT, DOWN, TURN = 1.25, 0.12, 0.06, 15.0
NEW_SCENE = 7919  # added to a seed

_CUT = re.compile(
    r"[.,;!?\n]+|\s[-–—]\s|\bbut\b|\balso\b|\bthen\b|\bthough\b|\bplus\b"
    r"|\band\b(?=\s+(?:the|it|its|it's|is|too|more|less|no|not|don't|please|i|make|move|turn|rotate|add|put"
    r"|remove|use"
    r"|change|larger|bigger|smaller|brighter|darker|warmer|cooler|higher|lower|shadow|a bit|a little|slightly|much"
    r"|without|want|zoom|tilt|light|straighten|show|another|other|different|we)\b)"
)
_NOT = re.compile(
    r"\b(?:not|never|isn't|isnt|aren't|wasn't|don't|dont|doesn't|doesnt|do not|does not|is not|are not"
    r"|no longer|hardly"
    r"|neither|nor)\b"
)
_WEAK = re.compile(r"\b(?:a bit|a little|slightly|somewhat|a touch|a tad|tiny bit)\b")
_STRONG = re.compile(r"\b(?:much|way|far|a lot|very|really|extremely|considerably)\b")
_PERCENT = re.compile(r"\b(\d{1,3})\s*(?:%|percent|per cent)")
_TYPOGRAPHIC = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"'})

Effect = Callable[[float], Adjustment]


@dataclass(frozen=True)
class _Rule:
    """A pattern and what it asks for, given how strongly (0.5, 1 or 2)."""

    pattern: re.Pattern[str]
    effect: Effect
    wish: bool = True  # False: a complaint's opposite ("not too small") asks for nothing; so does a wish's


def _rule(pattern: str, effect: Effect) -> _Rule:
    return _Rule(re.compile(pattern), effect)


def _sized(strength: float, larger: bool) -> Adjustment:
    factor = 1 + (STEP - 1) * strength
    return Adjustment(scale=factor if larger else 1 / factor)


_PRODUCT = r"(?:it|product|item|shirt|tee|shoe|shoes|bag|dress|jeans|trousers|watch|top|jacket|garment|thing)"
_ADVERBS = (
    r"(?:(?:not|isn't|a|bit|little|slightly|somewhat|much|way|far|really|very|still|just|is|are|looks?|seems?) )*"
)
_MUCH_LIGHT = ("bright daylight",)
_LITTLE_LIGHT = ("dim soft light",)

RULES: tuple[_Rule, ...] = (
    # Shadow before light and size: "the shadow is too dark" concerns neither.
    _rule(
        r"shadow.*\b(?:wrong side|other side|wrong direction|other direction|wrong way)",
        lambda s: Adjustment(mirror_light=True),
    ),
    _rule(r"shadow.*\b(?:long|longer)\b.*|(?:long)\s+shadow", lambda s: Adjustment(elevation=15 * s)),
    _rule(r"(?:longer) shadow", lambda s: Adjustment(elevation=-15 * s)),
    _rule(r"shadow.*\bshort\b|short shadow", lambda s: Adjustment(elevation=-15 * s)),
    _rule(
        r"shadow.*\b(?:dark|darker|hard|harsh|heavy|strong|black|sharp|big|large)\b|(?:less|softer|lighter"
        r"|weaker) shadow"
        r"|(?:dark|hard|harsh|heavy|strong) shadow|shadow.*\b(?:softer|lighter|weaker)\b",
        lambda s: Adjustment(softness=0.25 * s),
    ),
    _rule(
        r"shadow.*\b(?:light|weak|faint|soft|missing|pale|stronger)\b|(?:no|more|stronger|darker|harder|add a"
        r"|missing|needs a|want a) shadow"
        r"|without (?:a )?shadow|\bfloat(?:s|ing)?\b|\bhover|\b(?:like a sticker|pasted (?:on|in)|cut and paste)\b",
        lambda s: Adjustment(softness=-0.25 * s),
    ),
    _rule(r"shadow", lambda s: Adjustment(unknown=("shadow",))),
    # The cut-out.
    _rule(
        r"\b(?:fringe|halo|cut[- ]?out|white (?:edge|line|border|rim)|jagged|edges?\b.*\b(?:rough|white|bad"
        r"|wrong|dirty|ragged)"
        r"|(?:rough|dirty|bad|ragged) edges?|cut (?:off|away)|(?:part|piece|half|handle|strap|sleeve|heel"
        r"|lace)s?\b.*\bmissing"
        r"|missing (?:part|piece|half|handle|strap|sleeve|heel|lace)s?)\b",
        lambda s: Adjustment(cut_again=True),
    ),
    # Light.
    _rule(r"light\b.*\bfrom (?:the )?left", lambda s: Adjustment(light_from=150.0)),
    _rule(r"light\b.*\bfrom (?:the )?right", lambda s: Adjustment(light_from=30.0)),
    _rule(r"light\b.*\bfrom (?:above|the top|over)", lambda s: Adjustment(light_from=90.0)),
    _rule(r"light\b.*\b(?:wrong side|other side|wrong direction)", lambda s: Adjustment(mirror_light=True)),
    _rule(
        r"\b(?:softer|less harsh|more diffuse) light|light\b.*\b(?:hard|harsh|softer|more diffuse)\b",
        lambda s: Adjustment(softness=0.25 * s),
    ),
    _rule(
        r"\b(?:harder|crisper) light|light\b.*\b(?:flat|dull|harder|crisper|too soft)\b|\blooks? (?:\w+ )?flat\b",
        lambda s: Adjustment(softness=-0.25 * s),
    ),
    _rule(r"\btoo (?:warm|orange|yellow)\b|\b(?:cooler|colder|less warm)\b", lambda s: Adjustment(warmth=-0.3 * s)),
    _rule(r"\btoo (?:cold|cool|blue)\b|\b(?:warmer|less cold)\b", lambda s: Adjustment(warmth=0.3 * s)),
    _rule(
        r"\btoo dark\b|\b(?:brighter|lighter|gloomy|more (?:sun)?light|under-?exposed|brighten)\b",
        lambda s: Adjustment(elevation=10 * s, words=_MUCH_LIGHT),
    ),
    _rule(
        r"\btoo (?:bright|light)\b|\b(?:darker|glar(?:e|ing)|over-?exposed|burnt out|blown out|less light|dim)\b",
        lambda s: Adjustment(softness=0.2 * s, words=_LITTLE_LIGHT),
    ),
    # Colours of the brand; the product itself is never recoloured.
    _rule(
        r"\b(?:off[- ]brand|brand (?:colou?rs?|palette)|our (?:colou?rs?|palette)|wrong colou?rs|palette"
        r"|colou?rs? (?:clash|do not fit|don't fit))\b",
        lambda s: Adjustment(palette=True),
    ),
    # Size.
    _rule(
        rf"^(?:.*\b{_PRODUCT}\b.*|{_ADVERBS})\btoo (?:small|tiny|little|far away|far)\b(?! (?:left|right|to|up"
        rf"|down|low|high))"
        r"|\b(?:larger|bigger|enlarge|closer|zoom in|fill more)\b|\bmore of the product\b",
        lambda s: _sized(s, True),
    ),
    _rule(
        rf"^(?:.*\b{_PRODUCT}\b.*|{_ADVERBS})\btoo (?:big|large|huge|close|dominant)\b|\b(?:smaller|shrink"
        rf"|zoom out|further away|farther away)\b"
        r"|\bmore (?:space|room|air)\b|\bfills? too much\b",
        lambda s: _sized(s, False),
    ),
    # Turn, before place: "turn it to the left" is a turn.
    _rule(
        r"\b(?:straighten|upright|straight|level|less tilted)\b|\b(?:crooked|tilted|slanted)\b",
        lambda s: Adjustment(straighten=True),
    ),
    _rule(
        r"\b(?:turn|rotate|tilt|angle|spin)\b.*\b(?:left|counter-?clockwise|anti-?clockwise)\b",
        lambda s: Adjustment(turn=-TURN * s),
    ),
    _rule(r"\b(?:turn|rotate|tilt|angle|spin)(?:ed)?\b", lambda s: Adjustment(turn=TURN * s)),
    # Place.
    _rule(r"\btoo (?:far )?(?:to the )?(?:far )?right\b", lambda s: Adjustment(shift=-SHIFT * s)),
    _rule(r"\btoo (?:far )?(?:to the )?(?:far )?left\b", lambda s: Adjustment(shift=SHIFT * s)),
    _rule(r"\btoo (?:far )?(?:high|up)\b", lambda s: Adjustment(down=DOWN * s)),
    _rule(r"\btoo (?:far )?(?:low|down)\b", lambda s: Adjustment(down=-DOWN * s)),
    _rule(r"\b(?:cent(?:er|re)(?:ed|d)?|in the middle|off[- ]cent(?:er|re))\b", lambda s: Adjustment(center=True)),
    _rule(r"\b(?:to the left|left(?:wards?)?|further left|move left)\b", lambda s: Adjustment(shift=-SHIFT * s)),
    _rule(
        r"\b(?:to the right|rightwards?|further right|move (?:it )?right|more right)\b",
        lambda s: Adjustment(shift=SHIFT * s),
    ),
    _rule(r"\b(?:higher|upwards?|move (?:it )?up|further up)\b", lambda s: Adjustment(down=-DOWN * s)),
    _rule(r"\b(?:lower|downwards?|move (?:it )?down|further down)\b", lambda s: Adjustment(down=DOWN * s)),
    # Scene.
    _rule(
        r"\b(?:other|another|different|new|change (?:the )?|wrong|boring|ugly|hate (?:the )?|dislike (?:the )?)\s*"
        r"(?:background|backdrop|scene|setting|place|location|theme)\b|\b(?:background|backdrop|scene|setting"
        r"|theme)\b.*"
        r"\b(?:boring|ugly|wrong|dull|odd|strange|bad|fake|different)\b",
        lambda s: Adjustment(scene_seed=NEW_SCENE, next_theme=True),
    ),
    _rule(r"\blooks? (?:\w+ )?(?:fake|cheap|artificial|unreal|odd)\b", lambda s: Adjustment(scene_seed=NEW_SCENE)),
    _rule(
        r"\b(?:background|scene)\b.*\b(?:busy|cluttered|distracting|noisy|full)\b|\b(?:simpler|cleaner|calmer"
        r"|plainer)\b",
        lambda s: Adjustment(scene_seed=NEW_SCENE, words=("plain uncluttered background",)),
    ),
)
_PRAISE = re.compile(r"^(?:(?:this |that |it |it's |it is |they )?(?:is |looks? |are )?(?:very |really |all )?"
                     r"(?:good|great|fine|nice|ok|okay|perfect|lovely|thanks|thank you|well done|yes|love it"
                     r"|i like it|like it))"
                     r"(?: (?:to me|otherwise|overall|now|already))?$")  # fmt: skip
_DISLIKES_SCENE = re.compile(
    r"\b(?:don't|do not|dont) (?:like|want) (?:the |this |that )?(?:background|backdrop|scene|setting|theme)\b"
)
_WISH = re.compile(
    r"\b(?:i want|i'd like|i would like|we want|we need|i need|add|put|show|with|want|some|more|give me"
    r"|there should be|include|needs?|(?:can|could) (?:we|i|you) have|how about|try)\s+"
    r"(?:to see |to have |some |a few |more |a |an |the )*(?P<what>[a-z][a-z' -]+)$"
)
_REFUSE = re.compile(
    r"\b(?:no|without|remove|delete|drop|get rid of|take away|lose|kill|forget|skip|ditch|leave out|fewer|less|too many"
    r"|don't want|do not want"
    r"|don't add|do not add"
    r"|don't show|don't put|do not show|not want)\s+"
    r"(?:any |some |so many |those |these |the |a |an |more |to see )*(?P<what>[a-z][a-z' -]+?)(?: in (?:the"
    r"|this) (?:picture|image|ad))?$"
)
_SHOULD_GO = re.compile(
    r"^(?:the |that |this |those |these )?(?P<what>[a-z][a-z' -]+?) (?:has|have|needs?|should|must|ought)(?: to)?"
    r" (?:go|disappear|leave)$"
)
_COURTESY = frozenset(("please", "instead", "too", "there", "thanks", "then"))
_NO_WISH = frozenset(
    [
        "it",
        "this",
        "that",
        "changes",
        "change",
        "idea",
        "problem",
        "comment",
        "comments",
        "issue",
        "issues",
        "one",
        "product",
    ]
)


def route_comment(text: str, themes: Collection[str] = ()) -> Adjustment:
    """What a reviewer's comment asks for; `stages` names what must run again, `unknown` what was not understood.

    Args:
        text: English, any length; the first 1,000 characters are read.
        themes: names of themes that may be asked for ("beach").
    """
    wanted = Adjustment()
    lines = text[:LONGEST].translate(_TYPOGRAPHIC).lower().splitlines()
    plain = "\n".join(" ".join(line.split()) for line in lines if line.strip())
    for clause in _CUT.split(plain):
        words = clause.strip(" '\"()-:")
        if words and words not in {"please", "and", "or", "so"}:
            wanted = wanted.then(_clause(words, themes))
    if not plain:
        return Adjustment(unknown=("an empty comment",))
    return wanted


def _clause(words: str, themes: Collection[str]) -> Adjustment:
    words = re.sub(r"^(?:and|or|so|please|can you|could you|would you|well|hmm|maybe|i think|i feel)\s+", "", words)
    if _DISLIKES_SCENE.search(words):
        return Adjustment(scene_seed=NEW_SCENE, next_theme=True)
    if _PRAISE.match(words):
        return Adjustment()
    theme = _theme(words, themes)
    if theme:
        return theme
    denied = _NOT.search(words)
    for rule in RULES:
        match = rule.pattern.search(words)
        if match:
            negated = bool(denied) and not _asks_for_enough(words)
            return Adjustment() if negated else _counted(rule.effect(_strength(words)), words)
    if _asks_for_enough(words):
        return _enough(words)
    return _things(words)


def _strength(words: str) -> float:
    if _WEAK.search(words):
        return 0.5
    return 2.0 if _STRONG.search(words.replace("far away", "").replace("too far", "")) else 1.0


def _counted(change: Adjustment, words: str) -> Adjustment:
    """A percentage that is said takes the place of the usual step."""
    percent = _PERCENT.search(words)
    if percent and change.scale != 1:
        share = min(int(percent[1]), 90) / 100
        return replace(change, scale=1 + int(percent[1]) / 100 if change.scale > 1 else 1 - share)
    if percent and change.shift:
        return replace(change, shift=min(int(percent[1]), 90) / 100 * (1 if change.shift > 0 else -1))
    return change


def _asks_for_enough(words: str) -> bool:
    return bool(re.search(r"\b(?:not|isn't|isnt|aren't|doesn't look) (?:\w+ )?enough\b|\bnot \w+ enough\b", words))


def _enough(words: str) -> Adjustment:
    """`not large enough` asks for what it says."""
    for pattern, change in (
        (r"\b(?:large|big)\b", _sized(1.0, True)),
        (r"\bsmall\b", _sized(1.0, False)),
        (r"\b(?:bright|light)\b", Adjustment(elevation=10, words=_MUCH_LIGHT)),
        (r"\bdark\b", Adjustment(softness=0.2, words=_LITTLE_LIGHT)),
        (r"\bwarm\b", Adjustment(warmth=0.3)),
        (r"\b(?:cool|cold)\b", Adjustment(warmth=-0.3)),
        (r"\bhigh\b", Adjustment(down=-DOWN)),
        (r"\blow\b", Adjustment(down=DOWN)),
    ):
        if re.search(pattern, words):
            return change
    return Adjustment(unknown=(words[:80],))


def _theme(words: str, themes: Collection[str]) -> Adjustment | None:
    for theme in themes:
        if re.search(rf"\b{re.escape(theme.lower().replace('_', ' '))}\b", words.replace("_", " ")):
            if _REFUSE.search(words) or _NOT.search(words):
                return Adjustment(next_theme=True)
            return Adjustment(theme=theme)
    return None


def _things(words: str) -> Adjustment:
    """What a scene should show, or should not."""
    refused = _REFUSE.search(words) or _SHOULD_GO.search(words)
    if refused and refused["what"].split()[0] not in _NO_WISH:
        return Adjustment(without=(_short(refused["what"]),), scene_seed=NEW_SCENE, checked_words=False)
    wish = _WISH.search(words)
    if wish and not _NOT.search(words) and wish["what"].split()[0] not in _NO_WISH:
        return Adjustment(words=(_short(wish["what"]),), scene_seed=NEW_SCENE, checked_words=False)
    return Adjustment(unknown=(words[:80],))


def _short(words: str) -> str:
    listed = words.split()
    while len(listed) > 1 and listed[-1] in _COURTESY:
        listed.pop()
    return " ".join(listed[:LONGEST_WISH])
