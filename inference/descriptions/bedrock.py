"""The Bedrock writer: descriptions from a hosted language model through the Converse API, within a budget.

Belongs here: the request, the answer, the limit, Bedrock's errors as sentences. Not here: the prompt (prompting.py),
the check and the retries (publish.py). boto3 is imported only where a client is made.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from catalog.errors import SelvedgeError, ServiceUnavailable
from inference.descriptions.facts import ProductFacts
from inference.descriptions.prompting import DescriptionPrompt
from inference.descriptions.writer import BudgetSpent, Draft

FINISHED = ("end_turn", "stop_sequence")
WORTH_A_RETRY = frozenset(
    {
        "ThrottlingException", "ServiceUnavailableException", "ModelTimeoutException", "InternalServerException",
        "ModelNotReadyException", "ModelErrorException",
    }
)  # fmt: skip
REMEDIES = {
    "AccessDeniedException": "grant bedrock:InvokeModel on it and enable the model in this account and region",
    "ResourceNotFoundException": "check the model id and the region",
    "ValidationException": "check the model id and the prompt's limits",
}


@dataclass
class Budget:
    """What one run may use, and what it has used.

    Attributes:
        max_tokens: input and output tokens together. max_usd: at the two prices, in US dollars per 1,000 tokens.
    """

    max_tokens: int
    max_usd: float
    usd_per_1k_in: float
    usd_per_1k_out: float
    tokens_in: int = 0
    tokens_out: int = 0

    @property
    def usd(self) -> float:
        return self._cost(self.tokens_in, self.tokens_out)

    def require(self, tokens_in: int, tokens_out: int) -> None:
        """Raises BudgetSpent unless a request of at most this size stays within both limits."""
        tokens = self.tokens_in + self.tokens_out + tokens_in + tokens_out
        usd = self._cost(self.tokens_in + tokens_in, self.tokens_out + tokens_out)
        if tokens > self.max_tokens or usd > self.max_usd:
            raise BudgetSpent(
                f"the run's budget of {self.max_tokens} tokens and {self.max_usd:.2f} USD leaves no room for another "
                f"text ({self.tokens_in + self.tokens_out} tokens, {self.usd:.4f} USD used)."
            )

    def spend(self, tokens_in: int, tokens_out: int) -> None:
        self.tokens_in += tokens_in
        self.tokens_out += tokens_out

    def _cost(self, tokens_in: int, tokens_out: int) -> float:
        return (tokens_in * self.usd_per_1k_in + tokens_out * self.usd_per_1k_out) / 1000


class BedrockWriter:
    """Asks one model for one description a request.

    Args:
        client: a `bedrock-runtime` client (see `make_client`).
        model_id: model or inference-profile id.
    """

    name = "bedrock"

    def __init__(self, client: Any, model_id: str, prompt: DescriptionPrompt, budget: Budget) -> None:
        self._client = client
        self._prompt = prompt
        self.budget = budget
        self.model_version = model_id
        self.prompt_version = prompt.version

    def write(self, facts: ProductFacts, feedback: Sequence[str] = ()) -> Draft:
        """One Converse request. A cut-off or filtered answer is an empty draft, which no check accepts.

        Raises:
            BudgetSpent: before the request, when it could pass the limit.
            ServiceUnavailable: throttled, timed out, not reachable. SelvedgeError: refused for good.
        """
        request = self.request(facts, feedback)
        # A token is at least one byte, so the bytes sent bound the tokens billed.
        sent = len((self._prompt.system + request["messages"][0]["content"][0]["text"]).encode())
        self.budget.require(sent, self._prompt.max_output_tokens)
        answer = self._converse(request)
        used = answer["usage"]
        self.budget.spend(int(used["inputTokens"]), int(used["outputTokens"]))
        finished = answer["stopReason"] in FINISHED
        blocks = answer["output"]["message"]["content"] if finished else []
        text = " ".join(" ".join(block["text"] for block in blocks if "text" in block).split())
        return Draft(text.strip('"“”'), tokens_in=int(used["inputTokens"]), tokens_out=int(used["outputTokens"]))

    def request(self, facts: ProductFacts, feedback: Sequence[str] = ()) -> dict[str, Any]:
        """The body of the Converse request."""
        return {
            "modelId": self.model_version,
            "system": [{"text": self._prompt.system}],
            "messages": [{"role": "user", "content": [{"text": self._prompt.render(facts, feedback)}]}],
            "inferenceConfig": {
                "maxTokens": self._prompt.max_output_tokens,
                "temperature": self._prompt.temperature,
            },
        }

    def _converse(self, request: dict[str, Any]) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        where = f"Bedrock model {self.model_version}"
        try:
            answer: dict[str, Any] = self._client.converse(**request)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in WORTH_A_RETRY:
                raise ServiceUnavailable(f"{where} is not available ({code}); run again later.") from error
            remedy = REMEDIES.get(code, "see the AWS console for the cause")
            raise SelvedgeError(f"{where} refused the request ({code}); {remedy}.") from error
        except BotoCoreError as error:
            raise ServiceUnavailable(f"{where} cannot be reached ({error}); check network and credentials.") from error
        return answer


def make_client(region: str, timeout_seconds: float = 60.0) -> Any:
    """A `bedrock-runtime` client with botocore's own retries; credentials come from the environment, as AWS tools do.

    Raises:
        SelvedgeError: boto3 is not installed.
    """
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise SelvedgeError("the Bedrock writer needs boto3; install selvedge[aws].") from error
    config = Config(retries={"mode": "adaptive", "max_attempts": 6}, read_timeout=timeout_seconds)
    return boto3.client("bedrock-runtime", region_name=region, config=config)
