"""The function that makes ads: one request of the state machine, from its photograph to stored pictures.

Belongs here: from the machine's input to a request, and from what came of it to an answer. Not here: the stages
(inference/ad_images/), which parts make ads (orchestration/defs/inference/ad_parts.py), the states (infra/aws/cdk/).

Lambda imports this module in Selvedge's image. A refusal is an answer; a service that does not answer is raised, and
the state machine asks again. The same request finds what it stored before, so asking again costs nothing.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from catalog.errors import SelvedgeError

if TYPE_CHECKING:
    from inference.ad_images.batch import AdMaker
    from inference.ad_images.request import AdRequest


def handler(event: Mapping[str, Any], context: Any) -> dict[str, str]:  # noqa: ARG001 (as Lambda calls it)
    """What came of a request.

    Args:
        event: the state machine's input (infra/aws/cdk/ad_request.yaml).

    Returns:
        status (stored or refused), recipe_key, code and sentence ("" where it is stored).

    Raises:
        SelvedgeError: settings or image lack a part. ServiceUnavailable: a service does not answer.
    """
    from orchestration.defs.inference.ad_parts import AdParts, ad_maker
    from orchestration.families.settings import load_settings

    return answer(event, ad_maker(AdParts.of(load_settings(), brand=_text(event, "brand") or None)))


def answer(event: Mapping[str, Any], maker: "AdMaker") -> dict[str, str]:
    """The same, by a given maker."""
    from inference.ad_images.refusal import AdRefused, RefusalCode
    from inference.ad_images.store import recipe_key

    try:
        request = _request(event)
    except OSError as error:
        return _answer("refused", "", str(RefusalCode.PHOTO_UNREADABLE), f"The photograph cannot be read ({error}).")
    except AdRefused as refusal:
        return _answer("refused", "", str(refusal.code), str(refusal))
    key = recipe_key(request, maker.context)
    try:
        row = maker.store.stored(request.request_id, key)
        if row is None:
            made = maker.pipeline.make(request)
            row = maker.store.keep(made, key, maker.pipeline.backdrop, maker.context)
    except AdRefused as refusal:
        row = maker.store.refuse(request, key, refusal)
    return _answer(row.status, row.recipe_key, row.code, row.sentence)


def _request(event: Mapping[str, Any]) -> "AdRequest":
    from catalog.stores import stored_bytes
    from inference.ad_images.refusal import AdRefused, RefusalCode
    from inference.ad_images.request import AdRequest, OnModel

    order, photo = event["order"], event["photo"]
    width, _, height = str(order.get("size", "512x512")).partition("x")
    try:
        return AdRequest(
            str(event["request_id"]),
            stored_bytes(f"s3://{photo['bucket']}/{photo['key']}"),
            prompt=str(event["prompt"]) or None,
            theme=_text(event, "theme") or None,
            size=(int(width), int(height)),
            seed=int(order.get("seed", 0)),
            on_model=OnModel(_text(event, "on_model") or OnModel.REFUSE),
        )
    except ValueError as error:
        raise AdRefused(RefusalCode.BAD_REQUEST, f"the order is none ({error}); send another.") from error


def _text(event: Mapping[str, Any], name: str) -> str:
    value = event["order"].get(name, "")
    if not isinstance(value, str):
        raise SelvedgeError(f"{name} of the order is no text; deploy function and states of one version.")
    return value


def _answer(status: str, key: str, code: str, sentence: str) -> dict[str, str]:
    return {"status": status, "recipe_key": key, "code": code, "sentence": sentence}
