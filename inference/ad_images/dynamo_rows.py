"""Rows of ads in DynamoDB: the same protocol as in an SQL database (ad_rows.py).

Belongs here: requests to DynamoDB. Not here: clients and errors (aws.py), what may replace what (ad_rows.py).

One item a row: partition key `request_id`, sort key `recipe_key`. Writes are conditional on what was read, so two
writers never lose a stored picture.
"""

from typing import Any

from catalog.errors import SelvedgeError, ServiceUnavailable
from inference.ad_images.ad_rows import AdRow, settled
from inference.ad_images.aws import ask

KEYS = ("request_id", "recipe_key")
MAX_ITEM = 400 * 1024  # bytes
TRIES = 5


class DynamoAdMetadata:
    """Rows in one DynamoDB table.

    Args:
        client: a `dynamodb` client (aws.make_client).
    """

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table
        self._where = f"DynamoDB table {table}"

    def require(self) -> None:
        """Ask for a row that nobody has: one request before any work.

        Raises:
            SelvedgeError: no such table, keys or credentials. ServiceUnavailable: it does not answer.
        """
        self.find("-", "-")

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
        try:
            self._ask("PutItem", Item=item, **condition)
        except SelvedgeError as error:
            if _code(error) != "ConditionalCheckFailedException":
                raise
            return False
        return True

    def find(self, request_id: str, recipe_key: str) -> AdRow | None:
        """As `AdMetadata.find`."""
        key = {"request_id": {"S": request_id}, "recipe_key": {"S": recipe_key}}
        answer = self._ask("GetItem", Key=key, ConsistentRead=True)
        return self._row(answer["Item"]) if "Item" in answer else None

    def of_request(self, request_id: str) -> list[AdRow]:
        """As `AdMetadata.of_request`."""
        query: dict[str, Any] = {
            "KeyConditionExpression": "request_id = :id",
            "ExpressionAttributeValues": {":id": {"S": request_id}},
            "ConsistentRead": True,
        }
        rows: list[AdRow] = []
        while True:
            page = self._ask("Query", **query)
            rows += [self._row(item) for item in page["Items"]]
            if not page.get("LastEvaluatedKey"):
                return rows
            query["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _row(self, item: dict[str, Any]) -> AdRow:
        return AdRow.from_json(item.get("row", {}).get("S", ""), self._where)

    def _ask(self, operation: str, **request: Any) -> dict[str, Any]:
        try:
            return ask(self._client, operation, self._where, TableName=self._table, **request)
        except SelvedgeError as error:
            if _code(error) != "ResourceNotFoundException":
                raise
            raise SelvedgeError(
                f"DynamoDB has no table {self._table} in this region; make it first, with the keys "
                f"{' and '.join(KEYS)}, both strings."
            ) from error


def _code(error: SelvedgeError) -> str:
    """What the service called it; "" where it was no service."""
    answer = getattr(error.__cause__, "response", None) or {}
    return str(answer.get("Error", {}).get("Code", ""))


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
