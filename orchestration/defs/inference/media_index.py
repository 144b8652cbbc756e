"""inference/media_index: the photographs that ads may have as backgrounds, found by words.

Belongs here: the asset. Not here: reading a library and searching it (inference/ad_images/media/).
"""

from typing import Any

import dagster as dg

from orchestration.assets.failures import errors_as_sentences
from orchestration.assets.metadata import contact_sheet, table
from orchestration.assets.reporters import log_and
from orchestration.defs.inference.ad_parts import AdParts, update_media_index
from orchestration.runtime.settings import Settings

SAMPLE = "media-sample"  # folder below objects
SHOWN = 20


@dg.asset(key_prefix="inference", group_name="inference", owners=["team:models"], kinds={"lancedb"}, code_version="1")
@errors_as_sentences
def media_index(
    context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], progress: dg.ResourceParam[Any]
) -> dg.MaterializeResult:
    """Every photograph whose licence allows ads; what is left out is told with its reason."""
    sample = settings.home / "objects" / SAMPLE
    library, update = update_media_index(AdParts.of(settings), sample, log_and(context, progress).progress)
    left_out = [[name, why] for name, why in library.left_out.items()]
    shown: dict[str, Any] = {}
    if left_out:
        shown["left out"] = table(["file", "why"], left_out[:SHOWN])
    if library.assets:
        shown["for example"] = contact_sheet([str(library.root / asset.name) for asset in library.assets])
    return dg.MaterializeResult(
        metadata={
            "library": str(library.root),
            "photographs": len(library.assets),
            "left_out": len(left_out),
            "embedded": update.embedded,
            "kept": update.kept,
            "removed": update.removed,
            **shown,
        }
    )
