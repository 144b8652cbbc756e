"""Batches of descriptions: the jobs on Bedrock, their files in S3, what was asked and is not collected yet.

Belongs here: starting and collecting jobs. Not here: what is asked and answered
(inference/descriptions/bedrock_batch.py), writing the table (the command).

What was started stands in a file beside the table, written before anything is asked for: a kill leaves a job that the
next call finds by its name, which is a hash of its requests.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from upath import UPath

from catalog.errors import SelvedgeError, ServiceUnavailable
from catalog.files import publish_text
from catalog.places import not_written
from catalog.stores import asked, stored_bytes
from inference.ad_images.aws import ask
from inference.descriptions.bedrock_batch import drafts_of, lines_of
from inference.descriptions.writer import Draft
from orchestration.aws.account import Account

BATCH_FILE = "descriptions-batch.json"
LEAST, MOST = 100, 50_000  # records of a job, as Bedrock has it by default
HOURS = 72
BEDROCK = "Bedrock"
READY = ("Completed", "PartiallyCompleted")
LOST = ("Failed", "Stopped", "Expired")


@dataclass(frozen=True)
class Job:
    """A job that was asked for. Attributes: name, arn ("" before it was), source (its file), out (of its answers)."""

    name: str
    source: str
    out: str
    arn: str = ""


def request(account: Account, model: str, job: Job) -> dict[str, Any]:
    """The CreateModelInvocationJob request.

    Raises:
        SelvedgeError: the account has no role for it.
    """
    if not account.batch_role:
        raise SelvedgeError("the account names no batch_role; it is the stack's output BatchRole.")
    return {
        "jobName": job.name,
        "clientRequestToken": job.name,
        "roleArn": account.batch_role,
        "modelId": model,
        "modelInvocationType": "Converse",
        "inputDataConfig": {"s3InputDataConfig": {"s3InputFormat": "JSONL", "s3Uri": job.source}},
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": job.out, "s3EncryptionKeyId": account.key}},
        "timeoutDurationInHours": HOURS,
    }


def submit(
    client: Any, account: Account, model: str, records: Mapping[str, Mapping[str, Any]], folder: Path
) -> list[Job]:
    """Ask for all records, in jobs of at most 50,000; remembered in the folder.

    Raises:
        SelvedgeError: too few records for a job, no role, refused. ServiceUnavailable: a service does not answer.
    """
    if len(records) < LEAST:
        raise SelvedgeError(
            f"a batch has at least {LEAST} descriptions, and {len(records)} are to be written; `selvedge infer "
            "descriptions` asks one at a time."
        )
    names, jobs = list(records), []
    parts = -(-len(names) // MOST)
    for part in range(parts):  # of one size, so that the last one is not too small
        batch = names[len(names) * part // parts : len(names) * (part + 1) // parts]
        digest = hashlib.sha256("".join([model, *batch]).encode()).hexdigest()[:16]
        name, place = f"selvedge-{digest}", f"s3://{account.data_bucket}/batch"
        job = Job(name, f"{place}/in/{name}.jsonl", f"{place}/out/{name}/")
        request(account, model, job)
        text = "\n".join(lines_of({each: records[each] for each in batch})) + "\n"
        _put(job.source, text.encode())
        jobs.append(job)
    _remember(folder, model, jobs)
    started = [Job(**{**asdict(job), "arn": _started(client, account, model, job)}) for job in jobs]
    _remember(folder, model, started)
    return started


def remembered(folder: Path) -> tuple[str, list[Job]] | None:
    """Model and jobs that were asked for and are not collected; None where there are none.

    Raises:
        SelvedgeError: the file is damaged.
    """
    file = folder / BATCH_FILE
    if not file.is_file():
        return None
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return str(content["model"]), [Job(**job) for job in content["jobs"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SelvedgeError(f"{file} is damaged ({error}); remove it and ask again: it is paid again.") from error


def collect(
    client: Any, account: Account, model: str, jobs: Sequence[Job], folder: Path
) -> tuple[dict[str, Draft], dict[str, str]] | None:
    """Drafts by name, and why a record has none; None while a job still runs.

    Raises:
        SelvedgeError: a job failed; the next call asks again for what has no text. ServiceUnavailable: as ever.
    """
    drafts: dict[str, Draft] = {}
    wrong: dict[str, str] = {}
    for job in jobs:
        arn = job.arn or _started(client, account, model, job)  # killed before it was remembered: the same token
        job_state = ask(client, "GetModelInvocationJob", BEDROCK, jobIdentifier=arn)
        if job_state["status"] in LOST:
            forget(folder)
            why = str(job_state.get("message") or job_state["status"])[:200]
            raise SelvedgeError(f"the batch {job.name} of {model} came to nothing ({why}); run again to ask anew.")
        if job_state["status"] not in READY:
            return None
        file = f"{job.out}{arn.rpartition('/')[2]}/{job.name}.jsonl.out"
        try:
            text = stored_bytes(file).decode()
        except (OSError, ValueError) as error:
            raise ServiceUnavailable(f"{file} cannot be read ({error}); run again later.") from error
        ours, lacking = drafts_of(text.splitlines(), file)
        drafts |= ours
        wrong |= lacking
    return drafts, wrong


def forget(folder: Path) -> None:
    """After the texts are published, or for nothing to wait for."""
    (folder / BATCH_FILE).unlink(missing_ok=True)


def _started(client: Any, account: Account, model: str, job: Job) -> str:
    return str(ask(client, "CreateModelInvocationJob", BEDROCK, **request(account, model, job))["jobArn"])


def _remember(folder: Path, model: str, jobs: Sequence[Job]) -> None:
    text = json.dumps({"model": model, "jobs": [asdict(job) for job in jobs]}, indent=1)
    publish_text(text, folder / BATCH_FILE)


def _put(place: str, content: bytes) -> None:
    file = UPath(place)
    try:
        asked(place, lambda: file.write_bytes(content))
    except OSError as error:
        raise not_written(place, error) from error
