"""Batches of descriptions: asked is what would be paid, partial answers lose nothing, a kill pays nothing twice."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest
import s3fs
from moto.server import ThreadedMotoServer

from catalog.errors import SelvedgeError, ServiceUnavailable
from catalog.tables import as_table, read_frame
from inference.descriptions.bedrock import BedrockWriter, Budget
from inference.descriptions.bedrock_batch import BatchWriter, NoteTaker, drafts_of, lines_of
from inference.descriptions.facts import ProductFacts
from inference.descriptions.grammar import GrammarWriter
from inference.descriptions.prompting import load_prompt
from inference.descriptions.publish import describe
from inference.descriptions.writer import Draft
from orchestration.aws import description_batch as batch
from orchestration.cli import describe_command
from orchestration.cli.main import run
from tests.aws_front import AwsFront, Fault
from tests.inference.descriptions.test_publish import shop
from tests.inference.facts_for_tests import SCHEMA, WORDING
from tests.orchestration.aws.test_sagemaker import ACCOUNT

MODEL = "us.amazon.nova-lite-v1:0"
COUNT = 120
PRODUCTS, ATTRIBUTES = shop(COUNT)
ROLE = "arn:aws:iam::123456789012:role/batch"
NOW = datetime(2026, 11, 27, tzinfo=UTC)


class Watched(NoteTaker):
    """Keeps the facts, too, by the name of their request."""

    def __init__(self) -> None:
        super().__init__(MODEL, load_prompt())
        self.facts: dict[str, ProductFacts] = {}
        self.products = 0

    def write(self, facts: ProductFacts, feedback: Sequence[str]) -> Draft:
        if not feedback:
            self.facts[self.record(facts)[0]] = facts
            self.products += 1
        return super().write(facts, feedback)


def notes() -> Watched:
    taker = Watched()
    describe(PRODUCTS, ATTRIBUTES, None, taker, SCHEMA)
    return taker


def answer(text: str, stop: str = "end_turn") -> dict[str, Any]:
    return {
        "output": {"message": {"role": "assistant", "content": [{"text": text}]}},
        "stopReason": stop,
        "usage": {"inputTokens": 200, "outputTokens": 40, "totalTokens": 240},
    }


def output(taker: Watched, *, lacking: int = 0) -> str:
    """An output file in another order, the last of which have errors."""
    truths = {name: GrammarWriter(WORDING, "batch").write(facts).text for name, facts in taker.facts.items()}
    lines = []
    for number, name in enumerate(reversed(list(taker.records))):
        line = {"recordId": name, "modelInput": {}}
        broken = {"error": {"errorCode": 429, "errorMessage": "throttled"}}
        lines.append(json.dumps(line | (broken if number < lacking else {"modelOutput": answer(truths[name])})))
    return "\n".join(lines) + "\n"


def test_what_is_asked_is_what_one_request_at_a_time_would_ask_and_answers_find_their_product() -> None:
    taker = notes()
    records = len(taker.records)
    assert batch.LEAST <= records < COUNT, "equal facts are asked for once"
    assert taker.products == COUNT
    live = BedrockWriter(None, MODEL, load_prompt(), Budget(0, 0, 0, 0))
    assert all({"modelId": MODEL, **taker.records[name]} == live.request(facts) for name, facts in taker.facts.items())
    assert all(set(json.loads(line)) == {"recordId", "modelInput"} for line in lines_of(taker.records))
    drafts, wrong = drafts_of(output(taker, lacking=2).splitlines(), "out")
    assert (len(drafts), len(wrong), set(wrong.values())) == (records - 2, 2, {"throttled"})
    made = describe(PRODUCTS, ATTRIBUTES, None, BatchWriter(MODEL, load_prompt(), drafts), SCHEMA)
    lacking = made.writers["grammar"]
    assert (made.written, made.fell_back, made.writers["bedrock"]) == (COUNT, lacking, COUNT - lacking)
    assert 2 <= lacking < COUNT // 2
    again = Watched()
    describe(PRODUCTS, ATTRIBUTES, made.frame, again, SCHEMA)
    assert again.records == {}, "what is published is not asked for again"


def test_a_draft_that_lies_falls_to_the_grammar_writer_and_odd_lines_are_told() -> None:
    taker = notes()
    name = next(iter(taker.records))
    lie = {name: Draft("It is made of cashmere.")}
    made = describe(PRODUCTS, ATTRIBUTES, None, BatchWriter(MODEL, load_prompt(), lie), SCHEMA)
    assert made.writers == {"grammar": COUNT} and made.refused >= 1
    cut = json.dumps({"recordId": "a", "modelOutput": answer("A shirt", "max_tokens")})
    empty = json.dumps({"recordId": "b", "modelOutput": answer("")})
    assert drafts_of([cut, "", empty], "out")[1] == {
        "a": "the answer ended with max_tokens",
        "b": "the answer ended with end_turn",
    }
    for line in ("{", "[]", '{"modelOutput": {}}', json.dumps({"recordId": "a", "modelOutput": {"output": 1}})):
        with pytest.raises(ServiceUnavailable, match="out line 1 is no answer of Bedrock"):
            drafts_of([line], "out")


@pytest.fixture
def front(monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsFront]:
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    with AwsFront(moto_url=f"http://{host}:{port}") as front:
        for name, value in {
            "AWS_ENDPOINT_URL": front.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "SELVEDGE_BEDROCK_MODEL": MODEL,
        }.items():
            monkeypatch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()  # one of an earlier test asks its server
        urlopen(Request(f"{front.url}/moto-api/reset", method="POST"))
        boto3.client("s3").create_bucket(Bucket="selvedge-data")
        front.answer("CreateModelInvocationJob", lambda asked: {"jobArn": arn(asked["jobName"])})
        yield front
    moto.stop()


def arn(name: str) -> str:
    return f"arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/{name.rpartition('-')[2][:12]}"


def stands(front: AwsFront, status: str, **more: Any) -> None:
    place = {"s3InputDataConfig": {"s3Uri": "s3://a/b"}}, {"s3OutputDataConfig": {"s3Uri": "s3://a/c"}}
    told = {
        "modelId": MODEL,
        "roleArn": ROLE,
        "submitTime": NOW,
        "inputDataConfig": place[0],
        "outputDataConfig": place[1],
    }
    front.answer("GetModelInvocationJob", {"jobArn": arn("a-0123456789ab"), **told, "status": status, **more})


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command on a catalogue of drawn facts."""
    account = tmp_path / "aws.yaml"
    account.write_text(json.dumps(vars(ACCOUNT) | {"alarms": [], "batch_role": ROLE}))
    tables = {"attributes.parquet": as_table(ATTRIBUTES, "attributes")}
    products = SimpleNamespace(products=SimpleNamespace(to_pandas=lambda: PRODUCTS))
    monkeypatch.setattr("catalog.workspace.open_catalogue", lambda folder: products)
    monkeypatch.setattr("inference.folders.previous_table", lambda file: tables.get(file.name))
    monkeypatch.setattr("inference.folders.read_schema", lambda folder: SCHEMA)
    (tmp_path / "out").mkdir()
    return [
        "deploy",
        "describe",
        "--catalog",
        "shop",
        "--out",
        str(tmp_path / "out"),
        "--account",
        str(account),
        "--json",
    ]


def test_a_batch_is_asked_for_once_and_published_when_it_is_there(
    front: AwsFront, command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command) == 0
    asked = json.loads(capsys.readouterr().out)
    assert (asked["state"], asked["records"], len(asked["jobs"])) == ("asked", len(notes().records), 1)
    (request,) = front.asked("CreateModelInvocationJob")
    assert request["modelInvocationType"] == "Converse" and request["clientRequestToken"] == request["jobName"]
    stands(front, "InProgress")
    assert run(command) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "running"
    assert len(front.asked("CreateModelInvocationJob")) == 1

    stands(front, "PartiallyCompleted")
    assert run(command) == 1, "its answers are not there yet"
    assert "cannot be read" in capsys.readouterr().err
    name = asked["jobs"][0]
    key = f"batch/out/{name}/{arn(name).rpartition('/')[2]}/{name}.jsonl.out"
    boto3.client("s3").put_object(Bucket="selvedge-data", Key=key, Body=output(notes(), lacking=3).encode())
    assert run(command) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["state"], told["rows"], told["lacking"]) == ("published", COUNT, 3)
    assert told["fell_back"] >= 3 and told["tokens_in"] == 200 * (asked["records"] - 3)
    frame = read_frame(tmp_path / "out" / "descriptions.parquet")
    assert len(frame) == COUNT and not (tmp_path / "out" / batch.BATCH_FILE).exists()


def test_a_kill_before_the_job_was_remembered_asks_with_the_same_token(front: AwsFront, tmp_path: Path) -> None:
    client, account = front.client("bedrock"), type(ACCOUNT)(**vars(ACCOUNT) | {"batch_role": ROLE})
    front.fault("CreateModelInvocationJob", Fault("ThrottlingException", 429))
    with pytest.raises(ServiceUnavailable):
        batch.submit(client, account, MODEL, notes().records, tmp_path)
    remembered = batch.remembered(tmp_path)
    assert remembered is not None and [job.arn for job in remembered[1]] == [""]
    stands(front, "Submitted")
    assert batch.collect(client, account, *remembered, tmp_path) is None
    first, second = front.asked("CreateModelInvocationJob")
    assert first == second


def test_what_cannot_be_done_is_one_sentence(
    front: AwsFront,
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "out"
    client = front.client("bedrock")
    with pytest.raises(SelvedgeError, match="at least 100 descriptions, and 1 are"):
        batch.submit(client, ACCOUNT, MODEL, {"a": {}}, folder)
    with pytest.raises(SelvedgeError, match="names no batch_role"):
        batch.submit(client, ACCOUNT, MODEL, notes().records, folder)
    assert not (folder / batch.BATCH_FILE).exists()
    assert run(command) == 0
    stands(front, "Failed", message="the role may not read the file")
    assert run(command) == 1
    assert "came to nothing (the role may not read the file); run again" in capsys.readouterr().err
    assert not (folder / batch.BATCH_FILE).exists()
    (folder / batch.BATCH_FILE).write_text("{")
    assert run(command) == 1
    assert "is damaged" in capsys.readouterr().err
    (folder / batch.BATCH_FILE).unlink()
    monkeypatch.delenv("SELVEDGE_BEDROCK_MODEL")
    assert run(command) == 1
    assert "set SELVEDGE_BEDROCK_MODEL" in capsys.readouterr().err
    monkeypatch.setattr("inference.folders.previous_table", lambda file: None)
    with pytest.raises(SelvedgeError, match="run `selvedge infer attributes"):
        describe_command._described(Path("shop"), folder, notes(), publish=False)
