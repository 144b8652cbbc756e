"""Prompts in plain letters: what evasion hides, undone, so that word lists see the words.

Belongs here: invisible and look-alike characters, letters spelled with digits, spaced or repeated. Not here: which
words are refused (words.yaml).

What is plain is only for judging. The prompt itself goes on as it was written.
"""

import html
import re
import unicodedata
from collections.abc import Iterator, Sequence

# Invisible characters that have no business in a prompt: zero-width, directional, tags, interlinear, fillers.
HIDDEN = re.compile(
    "[\u200b\u200e\u200f\u2060-\u206f\u202a-\u202e\u061c\u115f\u1160\u3164\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff"
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u180e\ue000-\uf8ff]"
)
JOINERS = re.compile(
    "(?<=[A-Za-z])[\u200c\u200d](?=[A-Za-z])"
)  # right in Persian and emoji, hidden between Latin letters
SILENT = re.compile("[\u00ad\ufeff\u200c\u200d\ufe00-\ufe0f]")  # pasted along by editors; dropped
# Letters of other alphabets that look like Latin ones; NFKC leaves them.
LOOK_ALIKES = str.maketrans(
    "аВсԁеЕԍһНіІїјЈӏкКԛлМмоОпрРѕЅТтУуѵԝхХүΑαΒβΕεΖΗηΙιΚκΜΝνΟοΡρΤτΥυΧχѡԲօսցհոԼɡɩƖıǃⅼØøđħłŁƒßʙɢʜɪɴʀʏꞵ",
    "aBcdeEghHiIijJlkKqlMmoOnpPsSTtYyvwxXyAaBbEeZHnIiKkMNvOoPpTtYuXxwPougnoLgiIi!lOodhlLfsbghinryb",
)
LEET = str.maketrans("01345789@$!|+", "oieastbgasiit")
ELLE = str.maketrans("1!|", "lll")
STRETCHED = re.compile(r"(.)\1\1")  # no English word has a letter three times in a row
LONGEST = 16  # letters of a word that is spelled apart
DISGUISED = re.compile(r"[\w@$!|+*#]+", re.UNICODE)
SPACED = re.compile(r"(?<![^\W_])(?:[^\W_]{1,2}[\s.\-_*·,/\\]{1,3}){2,}[^\W_]{1,2}(?![^\W_])", re.UNICODE)


def plain(prompt: str) -> str:
    """Lower case, compatibility forms resolved, look-alikes and accents made Latin, entities resolved."""
    return latin(prompt).casefold()


def latin(prompt: str) -> str:
    """As `plain`, with its capitals."""
    text = SILENT.sub("", html.unescape(prompt))
    text = unicodedata.normalize("NFKC", text).translate(LOOK_ALIKES)
    text = "".join(each for each in unicodedata.normalize("NFD", text) if not unicodedata.combining(each))
    return unicodedata.normalize("NFC", text)


def hidden_characters(prompt: str) -> list[str]:
    """Invisible characters of a prompt, as "U+200B", each once."""
    text = html.unescape(prompt)
    hidden = {*HIDDEN.findall(text), *JOINERS.findall(text)}
    return sorted(f"U+{ord(character):04X}" for character in hidden)


def spelled_out(text: str) -> str:
    """A plain text whose words that mix letters with digits are spelled with letters ("1gn0re" → "ignore")."""
    mixed = re.compile(r"[\w@$!|]*[a-z][\w@$!|]*")
    return mixed.sub(lambda word: word.group().translate(LEET), text)


def disguises(text: str) -> Iterator[str]:
    """Every word that a disguised spelling of a plain text may stand for.

    Digits and signs as letters ("sh1t"), repeated letters ("shiiit"), letters spaced apart ("s h i t"). A word may come
    up that nobody meant; it is for comparing with whole words of a list only.
    """
    for token in DISGUISED.findall(text):
        if any(character.isalpha() for character in token):  # "455" is a number
            yield from _unmasked(token)
    for run in SPACED.findall(text):
        for joined in _joined([part for part in re.split(r"[\s.\-_*·,/\\]+", run) if part]):
            yield from _unmasked(joined)


def _joined(pieces: Sequence[str]) -> Iterator[str]:
    """Neighbours joined, three and more of them, at least half of them single letters: short words may stand around."""
    for first in range(len(pieces) - 2):
        for last in range(first + 3, min(len(pieces), first + LONGEST) + 1):
            parts = pieces[first:last]
            if 2 * sum(len(part) == 1 for part in parts) >= max(4, len(parts)):
                yield "".join(parts)


def _unmasked(token: str) -> Iterator[str]:
    stripped = token.strip("!|+#*")
    lettered = token.translate(LEET)
    yield from dict.fromkeys(
        (token, stripped, lettered, stripped.translate(LEET), token.translate(ELLE).translate(LEET))
    )


def unstretched(word: str) -> str:
    """No letter twice in a row: the same for "kkkilled" and "killed"."""
    return re.sub(r"(.)\1+", r"\1", word)
