"""Whether a prompt looks English.

Belongs here: scripts and small words, without a download. Not here: what follows from it (aws.py).

A short prompt says little ("kitchen, marble"), so it counts as English unless something speaks against it.
"""

import re
import unicodedata

MOST_FOREIGN_LETTERS = 0.2
MOST_ACCENTS = 2  # of a text without small words: "mañana light, piñata colours"
_WORDS = {
    "en": "the a an no on in with and of at by from for to is are it this that over under beside near behind before",
    "de": "der die das ein eine einem einer den dem auf mit und im vor neben hinter aus für zu ist nicht bei zum",
    "fr": "le la les un une des du de sur dans avec et au aux devant derrière sous à est pour près sans ou ce cette",
    "es": "el la los las un una unos unas en con y de del al sobre bajo junto para por es sin se está",
    "it": "il lo la gli le un uno una su sul sulla nel nella con e di del della al alla per è sotto vicino senza",
    "pt": "o a os um uma em no na nos nas com e de do da dos ao para por é sem sob sobre perto",
    "nl": "de het een op met en van in aan voor naast onder achter bij is uit niet naar",
    "sv": "en ett på med och av i vid under bakom framför för är det den som till inte",
    "pl": "na w z i do przy pod nad obok za jest to się ze od dla nie",
}  # fmt: skip
SMALL_WORDS = {language: frozenset(words.split()) for language, words in _WORDS.items()}
NO_ENGLISH_LETTER = re.compile("[äöüßåøæœñãõłśżźąęćńőűğčřěůž]", re.IGNORECASE)


def is_english(text: str) -> bool:
    """Whether most letters are Latin, and its small words are more often English than of any other language we know."""
    letters = [character for character in text if character.isalpha()]
    foreign = sum("LATIN" not in unicodedata.name(character, "") for character in letters)
    if letters and foreign > MOST_FOREIGN_LETTERS * len(letters):
        return False
    words = [word for word in re.findall(r"\w+", text.lower()) if word.isalpha()]
    counts = {language: len(small.intersection(words)) for language, small in SMALL_WORDS.items()}
    other = max(count for language, count in counts.items() if language != "en")
    if other == counts["en"] == 0 and len(words) > 2:
        return len(NO_ENGLISH_LETTER.findall(text)) <= MOST_ACCENTS
    return counts["en"] >= other
