"""Refusals over HTTP: an error's status, the word for programs, the sentence for people.

Belongs here: from exceptions to answers. Not here: raising them.
"""

import logging
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from catalog.errors import SelvedgeError, ServiceUnavailable
from inference.ad_images.refusal import AdRefused, RefusalCode
from inference.service.jobs import OtherBody, TooManyJobs

RETRY_SECONDS = 5
CODES = {404: "not_found", 405: "method"}
FAULT = "the service failed at this request; tell whoever runs it, whose log says where."
logger = logging.getLogger(__name__)


class RequestRefused(SelvedgeError):
    """A request that is not answered.

    Args:
        status: of HTTP. code: for programs. sentence: for people. retry: seconds after which it may do.
    """

    def __init__(self, status: int, code: str, sentence: str, retry: int | None = None) -> None:
        super().__init__(sentence)
        self.status, self.code, self.retry = status, code, retry


def answer_errors(app: FastAPI) -> None:
    """Answer every exception of an app's addresses with a `messages.Problem`."""
    app.add_exception_handler(SelvedgeError, _sentence)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _parameter)
    app.add_exception_handler(Exception, _fault)


async def _sentence(request: Request, error: Exception) -> Response:
    if isinstance(error, RequestRefused):
        return _problem(error.status, error.code, str(error), error.retry)
    if isinstance(error, AdRefused):
        return _problem(413 if error.code is RefusalCode.PHOTO_TOO_LARGE else 422, str(error.code), str(error))
    if isinstance(error, OtherBody):
        return _problem(409, "other_body", str(error))
    if isinstance(error, TooManyJobs):
        return _problem(429, "too_many", str(error), RETRY_SECONDS)
    if isinstance(error, ServiceUnavailable):
        return _problem(503, "unavailable", str(error), RETRY_SECONDS)
    logger.error("%s %s: %s", request.method, request.scope.get("path"), error)
    return _problem(500, "fault", str(error))


async def _http(_request: Request, error: Exception) -> Response:
    refusal: Any = error
    sentence = {
        404: "there is no such address; /openapi.json lists them.",
        405: "this address takes no such method; /openapi.json lists them.",
    }.get(refusal.status_code, str(refusal.detail))
    answer = _problem(refusal.status_code, CODES.get(refusal.status_code, "bad_request"), sentence)
    answer.headers.update(refusal.headers or {})
    return answer


async def _parameter(_request: Request, error: Exception) -> Response:
    refusal: Any = error
    first = refusal.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
    return _problem(422, "bad_request", f"{where}: {first['msg']}; /openapi.json says what fits.")


async def _fault(_request: Request, _error: Exception) -> Response:
    return _problem(500, "fault", FAULT)  # the server logs the traceback


def _problem(status: int, code: str, sentence: str, retry: int | None = None) -> JSONResponse:
    headers = {} if retry is None else {"Retry-After": str(retry)}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    readable = sentence.encode(errors="backslashreplace").decode()  # what was sent may hold half a character
    return JSONResponse({"error": readable, "code": code}, status, headers=headers)
