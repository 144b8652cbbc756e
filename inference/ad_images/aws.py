"""AWS services, called: a client, one request, and whatever goes wrong as one sentence.

Belongs here: making clients, errors, holding an answer to its service model. Not here: what is asked
(guardrails/aws.py, decomposition.py, captions.py). boto3 and botocore are imported nowhere else under ad_images.

botocore reads a broken answer as one with nothing in it. A guardrail would take that for "nothing against it", so every
answer is held to the members that its service promises before anybody reads it.
"""

import json
from collections.abc import Mapping
from typing import Any

from catalog.errors import SelvedgeError, ServiceUnavailable

WORTH_A_RETRY = frozenset(
    {
        "ThrottlingException", "Throttling", "TooManyRequestsException", "ProvisionedThroughputExceededException",
        "ServiceUnavailableException", "InternalServerException", "InternalServerError", "InternalFailure",
        "ModelTimeoutException", "ModelNotReadyException", "ModelErrorException", "RequestLimitExceeded",
    }
)  # fmt: skip
DENIED = frozenset({"AccessDeniedException", "AccessDenied", "UnauthorizedException"})
CREDENTIALS = frozenset({"UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException"})
REMEDIES = {
    "ResourceNotFoundException": "check the id and the region",
    "ValidationException": "check the id and the request's limits",
    "ServiceQuotaExceededException": "ask AWS for a higher quota",
}


class RequestRefused(SelvedgeError):
    """A service refused a request for good; `code` is its own error code."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


def make_client(
    service: str, region: str | None = None, endpoint_url: str | None = None, timeout_seconds: float = 60.0
) -> Any:
    """A client with botocore's own retries; credentials come from the environment, as AWS tools do.

    Raises:
        SelvedgeError: boto3 is not installed, or no region is known.
    """
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise SelvedgeError(f"{service} needs boto3; install selvedge[aws].") from error
    config = Config(retries={"mode": "adaptive", "max_attempts": 6}, read_timeout=timeout_seconds)
    try:
        return boto3.client(service, region_name=region, endpoint_url=endpoint_url, config=config)
    except BotoCoreError as error:
        raise SelvedgeError(f"a client of {service} cannot be made ({error}); set AWS_REGION.") from error


def ask(client: Any, operation: str, what: str, **request: Any) -> dict[str, Any]:
    """The answer of one request, with all that its service model promises.

    Args:
        operation: as AWS writes it ("ApplyGuardrail"). what: who is asked, for sentences ("Rekognition").

    Raises:
        ServiceUnavailable: throttled, broken, timed out, not reachable, or an answer that is none.
        RequestRefused: refused for good. SelvedgeError: no credentials, or a request outside the service's limits.
    """
    from botocore import xform_name
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ParamValidationError
    from botocore.parsers import ResponseParserError

    try:
        answer: dict[str, Any] = getattr(client, xform_name(operation))(**request)
    except ClientError as error:
        raise _refused(error.response.get("Error", {}).get("Code", ""), client, operation, what) from error
    except NoCredentialsError as error:
        raise SelvedgeError(f"{what} needs AWS credentials, and there are none; run `aws configure`.") from error
    except ParamValidationError as error:
        raise SelvedgeError(f"{what} takes no such request ({_one_line(error)}).") from error
    except (BotoCoreError, ResponseParserError) as error:
        raise ServiceUnavailable(
            f"{what} cannot be reached ({_one_line(error)}); check network and credentials, and run again."
        ) from error
    _require_all(answer, client, operation, what)
    return answer


def tool_input(answer: Mapping[str, Any]) -> Any:
    """What an answer of Converse gives its tool; of a model that wrote text instead, the JSON in that.

    Raises:
        ValueError: there is none.
    """
    blocks = answer["output"].get("message", {}).get("content", [])
    given = next((block["toolUse"]["input"] for block in blocks if "toolUse" in block), None)
    if given is not None:
        return given
    text = " ".join(block["text"] for block in blocks if "text" in block)
    try:
        return json.loads(text[text.find("{") : text.rfind("}") + 1])
    except json.JSONDecodeError as error:
        raise ValueError(f"the model's answer is no JSON ({error})") from error


def _require_all(answer: dict[str, Any], client: Any, operation: str, what: str) -> None:
    from botocore.validate import ParamValidator

    shape = client.meta.service_model.operation_model(operation).output_shape
    if shape is None:  # an operation that promises nothing
        return
    given = {name: value for name, value in answer.items() if name in shape.members and not hasattr(value, "read")}
    streams = {name for name, value in answer.items() if hasattr(value, "read")}
    report = ParamValidator().validate(given | dict.fromkeys(streams, b""), shape)
    if report.has_errors():
        raise ServiceUnavailable(
            f"{what} gave no answer to {operation} ({_one_line(report.generate_report())}); run again later."
        )


def _refused(code: str, client: Any, operation: str, what: str) -> SelvedgeError:
    if code in WORTH_A_RETRY:
        return ServiceUnavailable(f"{what} is not available ({code}); run again later.")
    prefix = client.meta.service_model.signing_name
    remedy = REMEDIES.get(code, "see the AWS console for the cause")
    if code in DENIED:
        remedy = f"grant {prefix}:{operation} to this account's role, and enable what it needs in this region"
    elif code in CREDENTIALS:
        remedy = "renew the AWS credentials"
    return RequestRefused(code, f"{what} refused {operation} ({code}); {remedy}.")


def _one_line(error: object) -> str:
    return " ".join(str(error).split())[:160]
