"""Tasks: exactly what an annotator's browser receives for a pair.

Belongs here: a slot as a pair for the ledger and as a payload. Not here: sending payloads (label_studio/), which slots
there are (registration.py), what both sides are made of (material.py).

The payload is an opaque key, the picture and two sides. Question and guidelines belong to the kind and stand on the
page once (label_page.py): they cannot differ between tasks. Everything in a task can be read by every annotator, so
everything that is not for them stays out.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeVar

from catalog.errors import SelvedgeError
from catalog.files import json_sha256
from labeling.review.label_page import pair_task
from labeling.review.ledger.ledger import Ledger
from labeling.review.ledger.records import Pair
from labeling.review.pairs.blinding import Side, Version, left_version, other, sound_side, task_key
from labeling.review.pairs.items import Slot
from labeling.review.pairs.rendering import picture_uri
from labeling.review.rounds.material import Material

Result = TypeVar("Result")
_TAG = re.compile(r"<[^>]*>")


def make_pair(material: Material[Result], key: bytes, round_id: str, slot: Slot) -> tuple[Pair, dict[str, str]]:
    """A slot as a pair for the ledger and the payload of its task.

    Raises:
        SelvedgeError: a result, a product or a picture is missing, or no error can be planted in a gold pair.
    """
    left = left_version(key, round_id, slot.item, slot.kind)
    if slot.kind == "gold" and not material.can_be_planted(left, slot.item):
        left = other(left)  # both sides of a gold pair are of one version, so this tells nobody anything
    sound = sound_side(key, round_id, slot.item) if slot.kind == "gold" else None
    sides = _sides(material, slot, left, sound)
    product = material.products.get(slot.item)
    if product is None:
        raise SelvedgeError(f"product {slot.item} is not among the round's products; give all of them.")
    html = tuple(material.kind.render(side) for side in sides)
    picture = picture_uri(product.picture(), f"product {slot.item}")
    name = task_key(key, round_id, slot.item, slot.kind)
    payload = pair_task(name, picture, *html)
    page = [sorted(payload.items()), material.kind.question, material.kind.guidelines, material.kind.reasons]
    sha256 = json_sha256(page, sort_keys=False)
    words = sum(len(_TAG.sub(" ", side).split()) for side in html)
    return Pair(name, slot.item, slot.kind, left, sound, words, sha256), payload


class RoundTasks(Collection[dict[str, str]]):
    """The payloads of a round, made one at a time as they are asked for, in the order of their opaque keys."""

    def __init__(self, material: Material[Any], key: bytes, round_id: str, pairs: Mapping[str, Pair]) -> None:
        """`pairs`: of the ledger."""
        self._material, self._key, self._round_id, self._pairs = material, key, round_id, pairs

    def __len__(self) -> int:
        return len(self._pairs)

    def __contains__(self, payload: object) -> bool:
        return isinstance(payload, Mapping) and payload.get("key") in self._pairs

    def __iter__(self) -> Iterator[dict[str, str]]:
        """Raises: SelvedgeError: a result or a picture is not what was registered when the round was opened."""
        for name in sorted(self._pairs):
            registered = self._pairs[name]
            slot = Slot(registered.item, registered.slot)
            pair, payload = make_pair(self._material, self._key, self._round_id, slot)
            if pair != registered:
                raise SelvedgeError(
                    f"what round {self._round_id} would show of product {pair.item} is not what was registered when it "
                    "was opened; bring back the tables it was opened with, or open a new round."
                )
            yield payload


def round_tasks(ledger: Ledger, round_id: str, material: Material[Any]) -> RoundTasks:
    """The payloads to upload, in their order; the same whenever they are asked for.

    Raises:
        SelvedgeError: there is no such round; while they are made: what it would show changed since it was opened.
    """
    return RoundTasks(material, ledger.round(round_id).key, round_id, ledger.pairs(round_id))


def _sides(material: Material[Result], slot: Slot, left: Version, sound: Side | None) -> tuple[Result, Result]:
    """The results on the left and on the right, levelled."""
    own, others = (_result(material, version, slot.item) for version in (left, other(left)))
    if slot.kind == "aa":
        return material.kind.level(own, own)
    if sound is None:
        return material.kind.level(own, others)
    planted = material.kind.plant(own, material.products[slot.item], material.seed)
    if planted is None:
        raise SelvedgeError(
            f"no error can be planted in what the {left} says of product {slot.item}; open a new round."
        )
    return material.kind.level(own, planted) if sound == "left" else material.kind.level(planted, own)


def _result(material: Material[Result], version: Version, item: int) -> Result:
    result = material.of(version).get(item)
    if result is None:
        raise SelvedgeError(
            f"the {version} has no result for product {item}; run both versions over the same products."
        )
    return result
