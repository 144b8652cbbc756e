"""`selvedge deploy describe`: descriptions of a whole catalogue by batches on Bedrock: asked for once, collected later.

Belongs here: the two passes over the catalogue, results. Not here: requests and answers
(inference/descriptions/bedrock_batch.py), jobs (orchestration/aws/description_batch.py).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from catalog.errors import SelvedgeError
from orchestration.cli.results import JsonFlag, emit
from orchestration.cli.terminal import reporting, say

if TYPE_CHECKING:
    from inference.descriptions.publish import DescribedTable
    from inference.descriptions.writer import Writer

SHOWN = 5


def describe(
    catalog: Annotated[Path, typer.Option(help="Catalogue directory.")],
    out: Annotated[Path, typer.Option(help="Folder with the predicted attributes; gets the descriptions.")],
    account: Annotated[Path, typer.Option("--account", help="YAML file with the stack's outputs; see docs/aws.md.")],
    as_json: JsonFlag = False,
) -> None:
    """Ask Bedrock for all descriptions in a batch; the same command later collects, checks and publishes them."""
    from inference.ad_images.aws import make_client
    from orchestration.aws import description_batch as batch
    from orchestration.aws.account import read_account
    from orchestration.families.settings import load_settings

    of_account, folder = read_account(account), out.expanduser().resolve()
    model = load_settings().bedrock_model
    standing = batch.remembered(folder)
    if standing is None and not model:
        raise SelvedgeError("a batch needs a model; set SELVEDGE_BEDROCK_MODEL to a model id.")
    client = make_client("bedrock", of_account.region)
    if standing is None:
        values = _submitted(client, of_account, str(model), catalog, folder)
    else:
        values = _collected(client, of_account, *standing, catalog, folder)
    emit("deploy describe", as_json, values)


def _submitted(client: Any, account: Any, model: str, catalog: Path, folder: Path) -> dict[str, Any]:
    from inference.descriptions.bedrock_batch import NoteTaker
    from inference.descriptions.prompting import load_prompt
    from orchestration.aws import description_batch as batch

    notes = NoteTaker(model, load_prompt())
    _described(catalog, folder, notes, publish=False)
    jobs = batch.submit(client, account, model, notes.records, folder)
    return _told("asked", [job.name for job in jobs], len(notes.records))


def _collected(client: Any, account: Any, model: str, jobs: Any, catalog: Path, folder: Path) -> dict[str, Any]:
    from inference.descriptions.bedrock_batch import BatchWriter
    from inference.descriptions.prompting import load_prompt
    from inference.folders import DESCRIPTIONS_FILE
    from orchestration.aws import description_batch as batch

    names = [job.name for job in jobs]
    answered = batch.collect(client, account, model, jobs, folder)
    if answered is None:
        return _told("running", names, None)
    drafts, lacking = answered
    for name, why in list(lacking.items())[:SHOWN]:
        say(f"record {name} has no text: {why}")
    texts = _described(catalog, folder, BatchWriter(model, load_prompt(), drafts), publish=True)
    batch.forget(folder)
    return _told("published", names, len(drafts) + len(lacking)) | {
        "path": str(folder / DESCRIPTIONS_FILE),
        "rows": len(texts.frame),
        "written": texts.written,
        "fell_back": texts.fell_back,
        "lacking": len(lacking),
        "tokens_in": sum(draft.tokens_in for draft in drafts.values()),
        "tokens_out": sum(draft.tokens_out for draft in drafts.values()),
    }


def _described(catalog: Path, folder: Path, writer: "Writer", *, publish: bool) -> "DescribedTable":
    """One pass of the loop that makes descriptions; the table is written where it is to be published."""
    from catalog.tables import write_table
    from catalog.workspace import open_catalogue
    from inference.descriptions.publish import describe
    from inference.folders import ATTRIBUTES_FILE, DESCRIPTIONS_FILE, previous_table, read_schema

    attributes = previous_table(folder / ATTRIBUTES_FILE)
    if attributes is None:
        raise SelvedgeError(
            f"{folder / ATTRIBUTES_FILE} does not exist; run `selvedge infer attributes --catalog {catalog} --out "
            f"{folder}` first."
        )
    file = folder / DESCRIPTIONS_FILE
    previous = previous_table(file)
    with reporting() as reporter:
        texts = describe(
            open_catalogue(catalog).products.to_pandas(),
            attributes.to_pandas(),
            None if previous is None else previous.to_pandas(),
            writer,
            read_schema(folder),
            progress=reporter.progress,
        )
    if publish:
        write_table(texts.frame, file, "descriptions")
        for sentence in texts.doubts():
            say(sentence)
    return texts


def _told(state: str, jobs: list[str], records: int | None) -> dict[str, Any]:
    later = ("path", "rows", "written", "fell_back", "lacking", "tokens_in", "tokens_out")
    return {"state": state, "jobs": jobs, "records": records, **dict.fromkeys(later)}
