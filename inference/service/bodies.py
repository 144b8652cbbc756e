"""Bodies: the bytes of a request, bounded before they are kept, as fields and a photograph.

Belongs here: limits of size, JSON, multipart, raw pictures, sentences for what cannot be read. Not here: what the
fields mean (messages.py), what the photograph shows (photographs.py).
"""

import io
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header

from inference.service.refusals import RequestRefused

JSON_BYTES = 1 << 16
PHOTO = "photo"  # the part that is a file
PARTS = 24
JSON, FORM = "application/json", "multipart/form-data"
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Body:
    """A request's body. fields: of JSON or of a form; strict: values have JSON's types. photo: b"" where none came."""

    fields: dict[str, Any]
    photo: bytes = b""
    strict: bool = True

    def checked(self, kind: type[Model]) -> Model:
        """The fields as a message. Raises: RequestRefused: one does not fit."""
        try:
            return kind.model_validate(self.fields, strict=self.strict)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            said = first["msg"].removeprefix("Value error, ")
            sentence = f"{where}: {said}" if where else said
            raise RequestRefused(422, "bad_request", f"{sentence}; /openapi.json says what fits.") from error


def body_of(most: int) -> Callable[[Request], Awaitable[Body]]:
    """What reads a request's body, of at most so many bytes; a raw picture is a body with nothing but a photograph."""

    async def read(request: Request) -> Body:
        kind, options = parse_options_header(request.headers.get("content-type", ""))
        content = await _bounded(request, JSON_BYTES if kind == JSON else most)
        if kind == JSON:
            return Body(_json(content))
        if kind == FORM:
            return _form(content, kind, options)
        if kind.startswith("image/") or kind == "application/octet-stream":
            return Body({}, content, strict=False)
        raise RequestRefused(
            415, "media_type", f"a body of {kind[:60] or 'no media type'} is not read; send {JSON}, {FORM} or image/*."
        )

    return read


async def _bounded(request: Request, most: int) -> bytes:
    """Raises RequestRefused: it is larger; what came so far is dropped."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise RequestRefused(413, "too_large", f"the body is larger than {most:,} bytes; send a smaller one.")
        parts.append(part)
    return b"".join(parts)


def _json(content: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RequestRefused(422, "bad_request", f"the body is no JSON ({str(error)[:120]}); mend it.") from error
    if not isinstance(fields, dict):
        raise RequestRefused(422, "bad_request", "the body is no JSON object; write {…}.")
    return fields


def _form(content: bytes, kind: str, options: dict[str, str]) -> Body:
    parser = FormDataParser(max_form_memory_size=JSON_BYTES, max_form_parts=PARTS, silent=False)
    try:
        _, form, files = parser.parse(io.BytesIO(content), kind, len(content), options)
    except (ValueError, RequestEntityTooLarge) as error:
        raise RequestRefused(422, "bad_request", f"the form cannot be read ({str(error)[:120]}); mend it.") from error
    named = [*form.keys(), *files.keys()]
    repeated = next((name for name in named if len(form.getlist(name)) + len(files.getlist(name)) > 1), None)
    if repeated is not None:
        raise RequestRefused(422, "bad_request", f"the form has {repeated[:40]!r} twice; send it once.")
    if set(files) - {PHOTO}:
        raise RequestRefused(422, "bad_request", f"the form's one file is called {PHOTO!r}; rename the part.")
    photo = files[PHOTO].read() if PHOTO in files else b""
    return Body(dict(form), photo, strict=False)
