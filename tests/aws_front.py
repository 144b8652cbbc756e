"""A front that answers AWS requests on loopback, in the shapes of botocore's own service models, with faults on demand.

Belongs here: Comprehend, Rekognition and Bedrock, which moto has no answers for, or none of use, and SageMaker and
Lambda, of which it has some. Not here: what moto answers well (S3, DynamoDB); a request of any other service, and one
that nobody set an answer for, is passed on to moto's server where its address is given.

Use:

    with AwsFront() as front:                                   # or AwsFront(moto_url="http://127.0.0.1:5000")
        client = front.client("bedrock-runtime")                # or boto3.client(..., endpoint_url=front.url)
        front.answer("Converse", converse_answer("hello"))      # the answer from now on: a mapping, or input -> mapping
        front.fault("Converse", THROTTLED, times=2)             # the next two requests fail, then the answer comes
        ...
        front.asked("Converse")                                 # the requests, parsed and held to the input shape

Every answer is held to the output shape when it is set, and every request to the input shape as it comes. Answers that
nobody set are harmless: no label, no toxicity, nothing detected, text "ok". `invoke_model_answer(body)` gives
InvokeModel's. Any operation of `SERVICES` can be answered, e.g. bedrock's `GetFoundationModel`.
"""

import base64
import http.client
import json
import re
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import boto3
import botocore.session
from botocore.config import Config
from botocore.model import OperationModel, Shape
from botocore.validate import validate_parameters

SERVICES = (*("bedrock-runtime", "bedrock", "comprehend", "rekognition", "lambda", "sagemaker", "sagemaker-runtime"),)
REGION = "us-east-1"
Answer = Mapping[str, Any] | Callable[[Mapping[str, Any]], Mapping[str, Any]]


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request.

    Attributes:
        code, status: of the service's error; no error where code is "".
        body: sent with status 200 in place of an answer. seconds: waited before anything.
        closes: the connection ends without a byte.
    """

    code: str = ""
    status: int = 400
    body: bytes = b""
    seconds: float = 0.0
    closes: bool = False


THROTTLED = Fault("ThrottlingException", 429)
BROKEN = Fault("InternalServerException", 500)
DENIED = Fault("AccessDeniedException", 403)
INVALID = Fault("ValidationException", 400)
NO_SUCH = Fault("ResourceNotFoundException", 404)
MALFORMED = Fault(body=b'{"results": [')
NOT_THE_SHAPE = Fault(body=b'{"surprise": 1}')
CLOSED = Fault(closes=True)


def slow(seconds: float) -> Fault:
    return Fault(seconds=seconds)


def converse_answer(text: str = "", tool_input: Any = None, stop_reason: str = "end_turn") -> dict[str, Any]:
    """An answer of Converse: a text, or the use of a tool with this input."""
    block: dict[str, Any] = {"text": text}
    if tool_input is not None:
        block = {"toolUse": {"toolUseId": "tool-1", "name": "answer", "input": tool_input}}
        stop_reason = "tool_use"
    return {
        "output": {"message": {"role": "assistant", "content": [block]}},
        "stopReason": stop_reason,
        "usage": {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15},
        "metrics": {"latencyMs": 1},
    }


def invoke_model_answer(body: Mapping[str, Any]) -> dict[str, Any]:
    return {"body": json.dumps(body).encode(), "contentType": "application/json"}


def guardrail_checks_answer(category: str = "", severity: float = 0.0) -> dict[str, Any]:
    """An answer of InvokeGuardrailChecks: one category with this severity, the others with 0."""
    filters = ("VIOLENCE", "HATE", "SEXUAL", "MISCONDUCT", "INSULTS")
    attacks = ("JAILBREAK", "PROMPT_INJECTION", "PROMPT_LEAKAGE")

    def results(categories: tuple[str, ...]) -> dict[str, Any]:
        return {"results": [{"category": c, "severityScore": severity if c == category else 0.0} for c in categories]}

    return {
        "results": {"contentFilter": results(filters), "promptAttack": results(attacks)},
        "usage": {"contentFilter": {"textUnits": 1}, "promptAttack": {"textUnits": 1}},
    }


def apply_guardrail_answer(*blocked: str) -> dict[str, Any]:
    """An answer of ApplyGuardrail that blocks these content filters ("VIOLENCE", "PROMPT_ATTACK", …), or nothing."""
    units = ("topic", "content", "word", "sensitiveInformation", "contextualGrounding")
    usage = {f"{unit}PolicyUnits": 0 for unit in units} | {"sensitiveInformationPolicyFreeUnits": 0}
    filters = [{"type": kind, "confidence": "HIGH", "action": "BLOCKED"} for kind in blocked]
    return {
        "usage": usage,
        "action": "GUARDRAIL_INTERVENED" if blocked else "NONE",
        "outputs": [{"text": "refused"}] if blocked else [],
        "assessments": [{"contentPolicy": {"filters": filters}}] if blocked else [],
    }


def toxic_content_answer(request: Mapping[str, Any], **scores: float) -> dict[str, Any]:
    """An answer of DetectToxicContent for a request: the same scores (PROFANITY=0.9) for each segment."""
    labels = ("GRAPHIC", "HARASSMENT_OR_ABUSE", "HATE_SPEECH", "INSULT", "PROFANITY", "SEXUAL", "VIOLENCE_OR_THREAT")
    one = {
        "Labels": [{"Name": name, "Score": scores.get(name, 0.0)} for name in labels],
        "Toxicity": max(scores.values(), default=0.0),
    }
    return {"ResultList": [one for _ in request["TextSegments"]]}


HARMLESS: dict[str, Answer] = {
    "Converse": converse_answer("ok"),
    "InvokeModel": invoke_model_answer({}),
    "InvokeGuardrailChecks": guardrail_checks_answer(),
    "ApplyGuardrail": apply_guardrail_answer(),
    "DetectToxicContent": toxic_content_answer,
    "DetectModerationLabels": {"ModerationLabels": [], "ModerationModelVersion": "7.0"},
}


class AwsFront:
    """The server; a context manager that ends it.

    Args:
        moto_url: where requests of other services go; without it they are refused with 501.
    """

    def __init__(self, moto_url: str | None = None) -> None:
        session = botocore.session.get_session()
        models = [session.get_service_model(service) for service in SERVICES]
        self._operations = [model.operation_model(name) for model in models for name in model.operation_names]
        self._by_name = {operation.name: operation for operation in self._operations}
        self._answers: dict[str, Answer] = dict(HARMLESS)
        self._faults: dict[str, deque[Fault]] = defaultdict(deque)
        self._asked: list[tuple[str, dict[str, Any]]] = []
        self.moto_url = moto_url
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> "AwsFront":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def client(self, service: str, attempts: int = 1, read_timeout: float = 5.0) -> Any:
        """A client of the front that asks `attempts` times in all."""
        config = Config(
            retries={"mode": "standard", "total_max_attempts": attempts}, read_timeout=read_timeout, connect_timeout=2.0
        )
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        return boto3.client(service, region_name=REGION, endpoint_url=self.url, config=config, **keys)

    def answer(self, operation: str, answer: Answer) -> None:
        """What an operation answers from now on."""
        if not callable(answer):
            _hold(answer, self._by_name[operation].output_shape, f"the answer of {operation}")
        self._answers[operation] = answer

    def fault(self, operation: str, fault: Fault, times: int = 1) -> None:
        """What goes wrong with the next requests of an operation."""
        self._faults[operation].extend([fault] * times)

    def asked(self, operation: str | None = None) -> list[dict[str, Any]]:
        """The requests so far, oldest first."""
        return [request for name, request in self._asked if operation in (None, name)]

    def reset(self) -> None:
        """As new: harmless answers, no faults, nothing asked."""
        self._answers = dict(HARMLESS)
        self._faults.clear()
        self._asked.clear()

    # -- one request --------------------------------------------------------------------------------------------------

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        matched = self._operation(handler)
        if matched is None:
            self._pass_on(handler, body)
            return
        operation, uri_values = matched
        request = _parsed(operation, handler, uri_values, body)
        _hold(request, operation.input_shape, f"a request of {operation.name}")
        self._asked.append((operation.name, request))
        fault = self._faults[operation.name].popleft() if self._faults[operation.name] else None
        if fault is not None:
            time.sleep(fault.seconds)
            if fault.closes:
                handler.close_connection = True
                return
            if fault.code:
                error = {"__type": fault.code, "message": "so asked of the front", "Message": "so asked of the front"}
                _send(handler, fault.status, json.dumps(error).encode(), {"x-amzn-errortype": fault.code})
                return
            if fault.body:
                _send(handler, 200, fault.body, {"Content-Type": "application/json"})
                return
        answer = self._answers.get(operation.name)
        if answer is None and self.moto_url is not None:
            self._pass_on(handler, body)
            return
        if answer is None:
            _send(handler, 501, b'{"__type": "NotSet"}', {})
            return
        given = answer(request) if callable(answer) else answer
        _hold(given, operation.output_shape, f"the answer of {operation.name}")
        _send(handler, 200, *_serialised(operation.output_shape, given))

    def _operation(self, handler: BaseHTTPRequestHandler) -> tuple[OperationModel, dict[str, str]] | None:
        target = handler.headers.get("X-Amz-Target", "")
        scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", handler.headers.get("Authorization", ""))
        signing = scope.group(1) if scope else ""
        path = urlsplit(handler.path).path
        for operation in self._operations:
            metadata = operation.service_model.metadata
            if metadata["protocol"] == "json":
                if target == f"{metadata['targetPrefix']}.{operation.name}":
                    return operation, {}
            elif metadata.get("signingName", metadata["endpointPrefix"]) == signing:
                values = _path_values(operation.http["requestUri"].partition("?")[0], path)
                if operation.http["method"] == handler.command and values is not None:
                    return operation, values
        return None

    def _pass_on(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        if self.moto_url is None:
            _send(handler, 501, b'{"__type": "NotServedHere", "message": "give AwsFront a moto_url"}', {})
            return
        # Its first state machine takes half a minute on a busy machine.
        moto = http.client.HTTPConnection(urlsplit(self.moto_url).netloc, timeout=120)
        moto.request(handler.command, handler.path, body, dict(handler.headers.items()))
        answer = moto.getresponse()
        content = answer.read()
        dropped = ("transfer-encoding", "content-length", "connection", "date", "server")
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in dropped}
        if handler.command == "HEAD":  # of a body that does not come
            headers["Content-Length"] = answer.getheader("Content-Length") or "0"
        _send(handler, answer.status, content, headers)
        moto.close()


def _handler_of(front: AwsFront) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            try:
                front.handle(self)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # a client that did not wait
            except Exception as error:  # an assertion of the front reaches the client as a plain refusal
                message = json.dumps({"__type": "FrontError", "message": f"{type(error).__name__}: {error}"})
                _send(self, 400, message.encode(), {"x-amzn-errortype": "FrontError"})

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _serve

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


def _send(handler: BaseHTTPRequestHandler, status: int, content: bytes, headers: Mapping[str, str]) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    if not any(name.lower() == "x-amzn-requestid" for name in headers):
        handler.send_header("x-amzn-RequestId", "front")
    if "Content-Length" not in headers:
        handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(content)


def _hold(values: Any, shape: Shape | None, what: str) -> None:
    """Raises AssertionError where values do not fit a shape."""
    if shape is not None:
        try:
            validate_parameters(values, shape)
        except Exception as error:
            raise AssertionError(f"{what} does not fit botocore's {shape.name}: {error}") from error


def _path_values(template: str, path: str) -> dict[str, str] | None:
    names = re.findall(r"{(\w+)\+?}", template)
    pattern = re.sub(r"\\{\w+(\\\+)?\\}", "([^/]+)", re.escape(template))
    match = re.fullmatch(pattern, path)
    return None if match is None else dict(zip(names, map(unquote, match.groups()), strict=True))


def _parsed(
    operation: OperationModel, handler: BaseHTTPRequestHandler, uri_values: Mapping[str, str], body: bytes
) -> dict[str, Any]:
    """The request as the client's method was given it."""
    shape = operation.input_shape
    if shape is None:
        return {}
    payload = shape.serialization.get("payload")
    document = {} if payload or not body else json.loads(body)
    query = dict(parse_qsl(urlsplit(handler.path).query))
    request: dict[str, Any] = {}
    for name, member in shape.members.items():
        wire = member.serialization.get("name", name)
        location = member.serialization.get("location")
        if name == payload:
            request[name] = body
        elif location == "uri":
            request[name] = uri_values[wire]
        elif location == "header" and handler.headers.get(wire) is not None:
            request[name] = handler.headers[wire]
        elif location == "querystring" and wire in query:
            request[name] = int(query[wire]) if member.type_name == "integer" else query[wire]
        elif location is None and wire in document:
            request[name] = _from_json(document[wire], member)
    return request


def _from_json(value: Any, shape: Shape) -> Any:
    if shape.type_name == "blob":
        return base64.b64decode(value)
    if shape.type_name == "list":
        return [_from_json(each, shape.member) for each in value]
    if shape.type_name == "map":
        return {key: _from_json(each, shape.value) for key, each in value.items()}
    if shape.type_name == "structure" and not getattr(shape, "is_document_type", False):
        names = {member.serialization.get("name", name): name for name, member in shape.members.items()}
        return {names[key]: _from_json(each, shape.members[names[key]]) for key, each in value.items()}
    return value


def _serialised(shape: Shape | None, answer: Mapping[str, Any]) -> tuple[bytes, dict[str, str]]:
    headers: dict[str, str] = {"Content-Type": "application/json"}
    if shape is None:
        return b"", headers
    payload = shape.serialization.get("payload")
    document: dict[str, Any] = {}
    content = b""
    for name, value in answer.items():
        member = shape.members[name]
        if name == payload and member.type_name == "blob":
            content = bytes(value)
        elif member.serialization.get("location") == "header":
            headers[member.serialization["name"]] = str(value)
        else:
            document[member.serialization.get("name", name)] = _to_json(value, member)
    return (content if payload else json.dumps(document).encode()), headers


def _to_json(value: Any, shape: Shape) -> Any:
    if shape.type_name == "blob":
        return base64.b64encode(value).decode()
    if shape.type_name == "timestamp" and isinstance(value, datetime):
        iso = shape.serialization.get("timestampFormat", "iso8601") == "iso8601"
        return value.isoformat() if iso else value.timestamp()
    if shape.type_name == "list":
        return [_to_json(each, shape.member) for each in value]
    if shape.type_name == "map":
        return {key: _to_json(each, shape.value) for key, each in value.items()}
    if shape.type_name == "structure" and not getattr(shape, "is_document_type", False):
        members = shape.members
        return {members[k].serialization.get("name", k): _to_json(v, members[k]) for k, v in value.items()}
    return value
