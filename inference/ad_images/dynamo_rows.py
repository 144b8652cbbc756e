"""Rows of ads in DynamoDB: the same protocol as in an SQL database (ad_rows.py).

Belongs here: requests to DynamoDB and their errors as sentences. Not here: what may replace what (ad_rows.py). boto3 is
imported only where a client is made.

One item a row: partition key `request_id`, sort key `recipe_key`. Writes are conditional on what was read, so two
writers never lose a stored picture.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from catalog.errors import SelvedgeError, ServiceUnavailable
from inference.ad_images.ad_rows import AdRow, settled

KEYS = ("request_id", "recipe_key")
MAX_ITEM = 400 * 1024  # bytes
WORTH_A_RETRY = frozenset(
    {
        "ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded", "InternalServerError",
        "TransactionConflictException", "ServiceUnavailable",
    }
)  # fmt: skip
REMEDIES = {
    "ResourceNotFoundException": "make it first (`create_table`, or the infrastructure's own)",
    "AccessDeniedException": "grant dynamodb:PutItem, GetItem and Query on it",
    "UnrecognizedClientException": "check the credentials",
    "ValidationException": "give it the keys request_id and recipe_key, both strings",
}
TRIES = 5


class DynamoAdMetadata:
    """Rows in one DynamoDB table.

    Args:
        client: a `dynamodb` client (see `make_client`).
    """

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table
        self._where = f"DynamoDB table {table}"

    def put(self, row: AdRow) -> AdRow:
        """As `AdMetadata.put`."""
        text = row.to_json()
        if len(text.encode()) > MAX_ITEM // 2:
            raise SelvedgeError(
                f"the row of {row.request_id} has {len(text):,} characters; {self._where} takes no more."
            )
        item = {
            "request_id": {"S": row.request_id},
            "recipe_key": {"S": row.recipe_key},
            "status": {"S": row.status},
            "created_at": {"S": row.created_at},
            "row": {"S": text},
        }
        if row.product_id:
            item["product_id"] = {"S": row.product_id}
        earlier: AdRow | None = None
        for _ in range(TRIES):
            condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(request_id)"}
            if earlier is not None:
                kept = settled(earlier, row, self._where)
                if kept is not None:
                    return kept
                condition = {
                    "ConditionExpression": "#row = :read",
                    "ExpressionAttributeNames": {"#row": "row"},
                    "ExpressionAttributeValues": {":read": {"S": earlier.to_json()}},
                }
            if self._written(item, condition):
                return row
            earlier = self.find(row.request_id, row.recipe_key)
        raise ServiceUnavailable(f"{self._where} changed under every write of {row.request_id}; run again.")

    def _written(self, item: dict[str, Any], condition: dict[str, Any]) -> bool:
        """Whether the item is there now; False where the condition did not hold."""
        from botocore.exceptions import ClientError

        with self._answering():
            try:
                self._client.put_item(TableName=self._table, Item=item, **condition)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") != "ConditionalCheckFailedException":
                    raise
                return False
        return True

    def find(self, request_id: str, recipe_key: str) -> AdRow | None:
        """As `AdMetadata.find`."""
        key = {"request_id": {"S": request_id}, "recipe_key": {"S": recipe_key}}
        with self._answering():
            answer = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return None if "Item" not in answer else self._row(answer["Item"])

    def of_request(self, request_id: str) -> list[AdRow]:
        """As `AdMetadata.of_request`."""
        query: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "request_id = :id",
            "ExpressionAttributeValues": {":id": {"S": request_id}},
            "ConsistentRead": True,
        }
        with self._answering():
            pages = list(self._client.get_paginator("query").paginate(**query))
        return [self._row(item) for page in pages for item in page["Items"]]

    def _row(self, item: dict[str, Any]) -> AdRow:
        return AdRow.from_json(item.get("row", {}).get("S", ""), self._where)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

        try:
            yield
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in WORTH_A_RETRY:
                raise ServiceUnavailable(f"{self._where} is not available ({code}); run again later.") from error
            remedy = REMEDIES.get(code, "see the AWS console for the cause")
            raise SelvedgeError(f"{self._where} refused the request ({code}); {remedy}.") from error
        except NoCredentialsError as error:
            raise SelvedgeError(
                f"{self._where} needs AWS credentials; set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
            ) from error
        except BotoCoreError as error:
            raise ServiceUnavailable(
                f"{self._where} cannot be reached ({error}); check network and credentials."
            ) from error


def create_table(client: Any, table: str) -> None:
    """Make a table that rows can be kept in, paid by request, and wait until it is there."""
    client.create_table(
        TableName=table,
        KeySchema=[
            {"AttributeName": name, "KeyType": kind} for name, kind in zip(KEYS, ("HASH", "RANGE"), strict=True)
        ],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in KEYS],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName=table)


def make_client(region: str) -> Any:
    """A `dynamodb` client with botocore's own retries; credentials come from the environment, as AWS tools do.

    Raises:
        SelvedgeError: boto3 is not installed.
    """
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise SelvedgeError("rows of ads in DynamoDB need boto3; install selvedge[aws].") from error
    return boto3.client("dynamodb", region_name=region, config=Config(retries={"mode": "adaptive", "max_attempts": 6}))
