"""The function behind the request API: takes a request for ads, starts its state machine, tells how it stands.

Belongs here: what a request must look like, its item in the table, starting the execution. Not here: the stages
(../cdk/ad_request.yaml), making pictures (orchestration/aws/ad_function.py). Deployed as one file: nothing of Selvedge
stands beside it.

    PUT /ads/{request_id}  {"photo": "<base64>", "prompt": …, "theme": …, "brand": …, "size": "1024x1024", "seed": 0}
    GET /ads/{request_id}

The same id with the same body is the same request, however often it is sent; with another body it is refused. One that
failed is begun again. The item is written first and the execution is named after it, so that a kill in between leaves
an item whose execution the same PUT starts.
"""

import base64
import binascii
import hashlib
import json
import os
import re
import time
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,60}")
SIZE = re.compile(r"[1-9][0-9]{2,3}x[1-9][0-9]{2,3}")
TEXTS = {"prompt": 1000, "theme": 60, "brand": 60, "on_model": 10}  # most bytes of each
MOST_PHOTO = 4 * 2**20  # bytes; API Gateway and Lambda pass on 6 MB of base64
KEPT_DAYS = 90
FAILED = "failed"
MOST_TRIES = 20  # of one request that failed
CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 4}, connect_timeout=3, read_timeout=8)


class Refused(Exception):
    """What is wrong with a request, and the status that says so."""

    def __init__(self, status: int, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.code = status, code


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 (as Lambda calls it)
    """An answer to API Gateway's proxy integration."""
    try:
        request_id = str((event.get("pathParameters") or {}).get("request_id") or "")
        if not REQUEST_ID.fullmatch(request_id):
            raise Refused(400, "bad_request", "The id of a request has 1 to 60 letters, digits, - or _.")
        if event["httpMethod"] == "PUT":
            return _answer(202, _accepted(request_id, event))
        return _answer(200, _standing(request_id))
    except Refused as refusal:
        return _answer(refusal.status, {"code": refusal.code, "sentence": str(refusal)})
    except (BotoCoreError, ClientError) as error:
        print(json.dumps({"level": "error", "what": type(error).__name__, "why": str(error)[:300]}))
        sentence = "A service did not answer; send the same request again."
        return _answer(503, {"code": "unavailable", "sentence": sentence})


def _accepted(request_id: str, event: dict[str, Any]) -> dict[str, Any]:
    body = _body(event)
    photo = _photo(body)
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    item = _item(request_id)
    if item is None:
        item = _claimed(request_id, digest)
    if item["body_sha256"]["S"] != digest:
        raise Refused(409, "other_body", f"The request {request_id} was sent with another body; use another id.")
    key = f"uploads/{request_id}/{hashlib.sha256(photo).hexdigest()}"
    attempt = int(item["attempt"]["N"])
    if item["state"]["S"] == FAILED:
        attempt = _begun_again(request_id, attempt)
    elif item["state"]["S"] != "accepted":
        return _told(request_id, item)
    _client("s3").put_object(Bucket=os.environ["DATA_BUCKET"], Key=key, Body=photo)
    order = {name: body[name] for name in ("theme", "brand", "size", "seed", "on_model") if name in body}
    given = {
        "request_id": request_id,
        "photo": {"bucket": os.environ["DATA_BUCKET"], "key": key},
        "prompt": body.get("prompt", ""),
        "order": order,
    }
    _start(f"{request_id}-{digest[:12]}-{attempt}", given)
    return {"request_id": request_id, "state": "accepted"}


def _start(name: str, given: dict[str, Any]) -> None:
    """One execution a name: a second start of the same does nothing."""
    try:
        _client("stepfunctions").start_execution(
            stateMachineArn=os.environ["STATE_MACHINE"], name=name, input=json.dumps(given, sort_keys=True)
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionAlreadyExists":
            raise


def _claimed(request_id: str, digest: str) -> dict[str, Any]:
    """The item of a new request, or the one that somebody else wrote a moment before."""
    now = datetime.now(UTC)
    item = {
        "request_id": {"S": request_id},
        "body_sha256": {"S": digest},
        "state": {"S": "accepted"},
        "attempt": {"N": "1"},
        "created_at": {"S": now.isoformat(timespec="seconds")},
        "expires_at": {"N": str(int(time.time()) + KEPT_DAYS * 86400)},
    }
    try:
        _client("dynamodb").put_item(
            TableName=os.environ["REQUESTS_TABLE"], Item=item, ConditionExpression="attribute_not_exists(request_id)"
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return _item(request_id) or item
    return item


def _begun_again(request_id: str, attempt: int) -> int:
    """The number of a new attempt, of which only one is begun whoever asks for it."""
    if attempt >= MOST_TRIES:
        raise Refused(409, "gave_up", f"The request {request_id} failed {attempt} times; look at its last execution.")
    try:
        _client("dynamodb").update_item(
            TableName=os.environ["REQUESTS_TABLE"],
            Key={"request_id": {"S": request_id}},
            UpdateExpression="SET #state = :accepted, attempt = :next",
            ConditionExpression="#state = :failed AND attempt = :attempt",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={
                ":accepted": {"S": "accepted"},
                ":failed": {"S": FAILED},
                ":attempt": {"N": str(attempt)},
                ":next": {"N": str(attempt + 1)},
            },
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
    return attempt + 1


def _standing(request_id: str) -> dict[str, Any]:
    item = _item(request_id)
    if item is None:
        raise Refused(404, "unknown", f"There is no request {request_id}.")
    return _told(request_id, item)


def _told(request_id: str, item: dict[str, Any]) -> dict[str, Any]:
    """How a request stands; of one whose pictures are stored, the pictures with their recipes."""
    told: dict[str, Any] = {"request_id": request_id, "state": item["state"]["S"]}
    told |= {name: item[name]["S"] for name in ("code", "sentence", "ended_at") if name in item}
    if told["state"] == "stored":
        key = {"request_id": {"S": request_id}, "recipe_key": item["recipe_key"]}
        row = _client("dynamodb").get_item(TableName=os.environ["ADS_TABLE"], Key=key, ConsistentRead=True).get("Item")
        told["pictures"] = json.loads(row["row"]["S"])["pictures"] if row else []
    return told


def _item(request_id: str) -> dict[str, Any] | None:
    key = {"request_id": {"S": request_id}}
    answer = _client("dynamodb").get_item(TableName=os.environ["REQUESTS_TABLE"], Key=key, ConsistentRead=True)
    item: dict[str, Any] | None = answer.get("Item")
    return item


def _body(event: dict[str, Any]) -> dict[str, Any]:
    text = event.get("body") or ""
    try:
        body = json.loads(base64.b64decode(text) if event.get("isBase64Encoded") else text)
    except ValueError as error:
        raise Refused(400, "bad_request", "The body is no JSON; send an object with a photo.") from error
    if not isinstance(body, dict):
        raise Refused(400, "bad_request", "The body is no JSON object; send one with a photo.")
    unknown = sorted(set(body) - {*TEXTS, "photo", "size", "seed"})
    if unknown:
        raise Refused(400, "bad_request", f"The body has a member {unknown[0]!r:.60}, which no request has.")
    for name, most in TEXTS.items():
        value = body.get(name, "")
        if not isinstance(value, str) or len(value.encode("utf-8", "replace")) > most:
            raise Refused(400, "bad_request", f"{name} is no text of at most {most} bytes.")
    if not isinstance(body.get("size", ""), str) or ("size" in body and not SIZE.fullmatch(body["size"])):
        raise Refused(400, "bad_request", "size is not WIDTHxHEIGHT in pixels; 1024x1024 is one.")
    seed = body.get("seed", 0)
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**32:
        raise Refused(400, "bad_request", "seed is not a whole number from 0 to 4294967295.")
    return body


def _photo(body: dict[str, Any]) -> bytes:
    try:
        photo = base64.b64decode(body["photo"], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise Refused(400, "bad_request", "photo is not the base64 of a picture file.") from error
    if not photo or len(photo) > MOST_PHOTO:
        raise Refused(413, "photo_too_large", f"The photograph has {len(photo):,} bytes; send 1 to {MOST_PHOTO:,}.")
    return photo


def _client(service: str) -> Any:
    """Made once a process, and kept while its environment stays."""
    key = (service, os.environ.get("AWS_ENDPOINT_URL", ""))
    if key not in _CLIENTS:
        _CLIENTS[key] = boto3.client(service, config=CONFIG)
    return _CLIENTS[key]


_CLIENTS: dict[tuple[str, str], Any] = {}


def _answer(status: int, content: dict[str, Any]) -> dict[str, Any]:
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return {"statusCode": status, "headers": headers, "body": json.dumps(content)}
