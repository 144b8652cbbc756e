"""Writers: the description writer that the settings name, and descriptions written by it, in the graph or by hand.

Belongs here: turning settings into a writer, keeping its drafts. Not here: how a writer writes
(inference/descriptions/).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.errors import SelvedgeError
from orchestration.runtime.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

    from catalog.schema import AttributeSchema
    from inference.descriptions.publish import DescribedTable
    from inference.descriptions.writer import Writer


@contextmanager
def described(
    settings: Settings,
    products: "pa.Table",
    attributes: "pa.Table",
    previous: "pa.Table | None",
    schema: "AttributeSchema",
    journal_file: Path,
    progress: Callable[[int, int, str], None],
) -> "Iterator[DescribedTable]":
    """Descriptions of the products, to be published inside the context.

    Args:
        previous: texts of an earlier run; those whose facts did not change are kept.
        journal_file: drafts of a paid writer, which outlive a kill; gone once the texts are published.

    Raises:
        SelvedgeError: as `description_writer`, or the writer's budget is spent.
    """
    from inference.descriptions.journal import Journal
    from inference.descriptions.publish import describe

    writer = description_writer(settings)
    journal = Journal(journal_file) if writer else None
    yield describe(
        products.to_pandas(),
        attributes.to_pandas(),
        None if previous is None else previous.to_pandas(),
        writer,
        schema,
        journal=journal,
        progress=progress,
    )
    if journal is not None:
        journal.discard()


def description_writer(settings: Settings) -> "Writer | None":
    """The writer that is asked first; None leaves everything to the grammar writer, which also takes over from others.

    Raises:
        SelvedgeError: a setting the writer needs is missing, or its weights or packages are.
    """
    if settings.writer == "grammar":
        return None
    from inference.descriptions.prompting import load_prompt

    if settings.writer == "bedrock":
        from inference.descriptions.bedrock import BedrockWriter, Budget, make_client

        if not settings.bedrock_model:
            raise SelvedgeError("the Bedrock writer needs a model; set SELVEDGE_BEDROCK_MODEL to a model id.")
        budget = Budget(
            settings.bedrock_max_tokens,
            settings.bedrock_max_usd,
            settings.bedrock_usd_per_1k_in,
            settings.bedrock_usd_per_1k_out,
        )
        return BedrockWriter(make_client(settings.bedrock_region), settings.bedrock_model, load_prompt(), budget)
    from inference.descriptions.local_llm import load_local_writer

    if settings.writer_folder is None:
        raise SelvedgeError("the local writer needs weights; set SELVEDGE_WRITER_FOLDER to a causal language model.")
    return load_local_writer(settings.writer_folder, load_prompt())
