"""The description writer that the settings name.

Belongs here: turning settings into a writer. Not here: how a writer writes, and its drafts (inference/descriptions/).
"""

from typing import TYPE_CHECKING

from catalog.errors import SelvedgeError
from orchestration.runtime.settings import Settings

if TYPE_CHECKING:
    from inference.descriptions.writer import Writer


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
