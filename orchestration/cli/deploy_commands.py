"""`selvedge deploy`: what a deployment on AWS would create, training jobs, and the endpoint of a champion.

Belongs here: options, results, lines for people. Not here: the requests (orchestration/aws/), the stack (infra/aws/).
"""

import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from catalog.errors import SelvedgeError
from orchestration import families
from orchestration.cli.describe_command import describe
from orchestration.cli.results import JsonFlag, emit
from orchestration.cli.tailoring import family_argument, tailored

AccountFile = Annotated[Path, typer.Option("--account", help="YAML file with the stack's outputs; see docs/aws.md.")]
Weights = Annotated[
    str, typer.Option(help="s3:// address of a mirrored base, as `selvedge models mirror` made it; ours by default.")
]
CANDIDATE_DIGITS = 6
WIDTH = 64


def application() -> typer.Typer:
    app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    app.command("plan")(plan)
    app.command("train")(tailored(train, {"family": family_argument()}))
    app.command("status")(status)
    app.command("champion")(tailored(champion, {"family": family_argument()}))
    app.command("describe")(describe)
    return app


def plan(
    use: Annotated[
        list[str] | None, typer.Option(metavar="NAME=NUMBER", help="A month's use, like ad_requests=50000.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say what a deployment would create and what a month may cost. AWS is not asked, and nothing is created."""
    from orchestration.aws.plan import TEMPLATE, make_plan

    made = make_plan(_used(use or []))
    values: dict[str, Any] = {
        "template": str(TEMPLATE),
        "resources": dict(made.resources),
        "lines": [asdict(line) for line in made.lines],
        "usd": made.usd,
        "assumed_usd": made.assumed_usd,
        "as_of": made.as_of,
        "region": made.region,
    }
    emit("deploy plan", as_json, values, _plan_lines(values))


def train(
    family: str,
    config: Annotated[Path, typer.Option(help="YAML with the training settings; see examples/.")],
    delivery: Annotated[str, typer.Option(help="s3:// address of the catalogue's delivery, below training/.")],
    account: AccountFile,
    instance: Annotated[str, typer.Option(help="Machine of SageMaker.")] = "ml.g6e.xlarge",
    hours: Annotated[float, typer.Option(help="Longest training.")] = 24.0,
    spot: Annotated[bool, typer.Option(help="Machines that may be taken away, for a part of the price.")] = True,
    weights: Weights = "",
    as_json: JsonFlag = False,
) -> None:
    """Start a training job on SageMaker: the same `selvedge train`, resumed where an attempt before it stopped."""
    from upath import UPath

    from catalog.files import json_sha256
    from catalog.places import not_written
    from catalog.stores import asked
    from inference.ad_images.aws import make_client
    from orchestration.aws import training_job
    from orchestration.aws.account import read_account
    from orchestration.cli.model_commands import read_config
    from training.settings import as_yaml

    of_account = read_account(account)
    settings = read_config(config, families.find_family(family).settings())[1]
    # The same settings on the same delivery are the same work, whenever it is asked for.
    work = {"family": family, "settings": asdict(settings), "delivery": delivery, "weights": weights}
    candidate = f"{family}-{json_sha256(work)[:CANDIDATE_DIGITS]}"
    folder = f"s3://{of_account.data_bucket}/training/settings/{candidate}"
    order = training_job.TrainingOrder(
        family, candidate, delivery, folder, instance=instance, hours=hours, spot=spot, weights=weights
    )
    training_job.request(of_account, order)  # what is wrong with it is told before anything is written
    client = make_client("sagemaker", of_account.region)
    attempt = training_job.next_attempt(client, candidate)
    order = replace(order, attempt=attempt)
    file = UPath(folder) / training_job.SETTINGS_FILE
    try:
        asked(str(file), lambda: file.write_bytes(as_yaml(settings).encode()))
    except OSError as error:
        raise not_written(file, error) from error
    values = {
        "job": training_job.start(client, of_account, order),
        "family": family,
        "candidate": candidate,
        "attempt": attempt,
        "instance": instance,
        "checkpoints": f"s3://{of_account.models_bucket}/checkpoints/{candidate}",
    }
    emit("deploy train", as_json, values)


def status(
    job: Annotated[str, typer.Argument(help="Name of a training job.")],
    account: AccountFile,
    as_json: JsonFlag = False,
) -> None:
    """Say how a training job stands."""
    from inference.ad_images.aws import RequestRefused, make_client
    from orchestration.aws import training_job
    from orchestration.aws.account import read_account

    try:
        state = training_job.state(make_client("sagemaker", read_account(account).region), job)
    except RequestRefused as refused:
        if refused.code != "ValidationException":
            raise
        raise SelvedgeError(f"SageMaker has no training job {job:.80}; `selvedge deploy train` names one.") from refused
    emit("deploy status", as_json, state)


def champion(
    family: str,
    account: AccountFile,
    instance: Annotated[str, typer.Option(help="Machine of SageMaker.")] = "ml.g6e.xlarge",
    machines: Annotated[int, typer.Option(min=1, help="How many of them.")] = 1,
    weights: Weights = "",
    as_json: JsonFlag = False,
) -> None:
    """Let the family's endpoint serve its champion; after `selvedge rollback`, the one before. Can be repeated."""
    from inference.ad_images.aws import make_client
    from orchestration.aws import endpoint
    from orchestration.aws.account import read_account
    from orchestration.families.settings import load_settings
    from orchestration.registry.registry import Registry

    families.find_family(family)
    of_account = read_account(account)
    registry = Registry(load_settings())
    version = registry.champion(family)
    if version is None:
        raise SelvedgeError(f"{family} has no champion yet; promote a candidate first.")
    served = endpoint.Served(
        family, version.version, version.digest, registry.location(version), instance, machines, weights
    )
    client, watch = (make_client(service, of_account.region) for service in ("sagemaker", "cloudwatch"))
    moved = endpoint.move(client, watch, of_account, served, family)
    values = {
        "family": family,
        "version": version.version,
        "serves": served.name,
        "endpoint": family,
        "moved": moved,
    }
    emit("deploy champion", as_json, values)


def _used(texts: Sequence[str]) -> dict[str, float]:
    used: dict[str, float] = {}
    for text in texts:
        name, _, number = text.partition("=")
        if not re.fullmatch(r"\d{1,12}(\.\d{1,6})?", number):
            raise SelvedgeError(f"--use {text:.60} is not NAME=NUMBER; ad_requests=50000 is.")
        used[name] = float(number)
    return used


def _plan_lines(values: dict[str, Any]) -> list[str]:
    """For people: what is created, then the estimate, dearest first."""
    lines = [f"{sum(values['resources'].values())} resources of {len(values['resources'])} types would be created:"]
    lines += [f"  {count:4d}  {kind}" for kind, count in values["resources"].items()]
    lines += ["", f"A month in {values['region']}, prices of {values['as_of']}:"]
    for line in sorted(values["lines"], key=lambda line: -line["usd"]):
        mark = "*" if line["source"] == "assumption" else " "
        amount = f"{line['quantity']:,.0f} {line['unit']}"
        lines.append(f"  {line['usd']:9.2f}{mark} {line['what'][:WIDTH]}  ({amount})")
    lines += [
        f"  {values['usd']:9.2f}  USD in all",
        f"* {values['assumed_usd']:.2f} USD of it by prices that are assumed.",
    ]
    return lines
