"""Models that may be asked while ads are made, and where their rows are kept, as the settings say.

Belongs here: from one setting to one part, checked before any work. Not here: the parts (inference/ad_images/), all of
them together (ad_parts.py).
"""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.errors import SelvedgeError
from orchestration.runtime.addresses import BEDROCK, CHAMPION, DYNAMODB, NOBODY

if TYPE_CHECKING:
    from inference.ad_images.ad_rows import AdMetadata
    from inference.ad_images.captions import CaptionWriter
    from inference.ad_images.cutouts.segmenter import Segmenter
    from inference.ad_images.decomposition import Decomposer
    from inference.ad_images.quality.control import Judge
    from inference.ad_images.relative_sizes import BedrockSizes


@lru_cache(maxsize=1)
def segmenters(name: str, region: str, champion: Path | None = None) -> "tuple[Segmenter, ...]":
    """Who is asked where the backdrop of a photograph is not plain: a champion, Bedrock, an ONNX file, or nobody.

    Args:
        champion: folder of the segmenters' champion; None before there is one.

    Raises:
        SelvedgeError: the file, or the package that runs it, is missing; the champion's folder is none; no boto3.
    """
    if name == NOBODY or (name == CHAMPION and champion is None):
        return ()
    if name == CHAMPION and champion is not None:
        from inference.ad_images.cutouts.trained import TrainedSegmenter

        return (TrainedSegmenter(champion),)
    if name == BEDROCK:
        from inference.ad_images.aws import make_client
        from inference.ad_images.cutouts.bedrock import BedrockSegmenter

        return (BedrockSegmenter(make_client("bedrock-runtime", region)),)
    from inference.ad_images.cutouts.segmenter import OnnxSegmenter

    network = OnnxSegmenter(Path(name))
    network.require()
    return (network,)


def words(who: str, region: str, model: str | None) -> "tuple[Decomposer | None, CaptionWriter | None]":
    """Who takes prompts apart and who writes captions; None for the rules.

    Raises:
        SelvedgeError: no model is named, or no boto3.
    """
    if who != BEDROCK:
        return None, None
    from inference.ad_images.aws import make_client
    from inference.ad_images.captions import CaptionWriter
    from inference.ad_images.decomposition import Decomposer

    model_id, client = hosted_model("words", model), make_client("bedrock-runtime", region)
    return Decomposer(client, model_id), CaptionWriter(client, model_id)


def sizes(who: str, region: str, model: str | None) -> "BedrockSizes | None":
    """Who says how large a product is shown; None for the rules. Raises SelvedgeError: as `words`."""
    if who != BEDROCK:
        return None
    from inference.ad_images.aws import make_client
    from inference.ad_images.relative_sizes import BedrockSizes

    return BedrockSizes(make_client("bedrock-runtime", region), hosted_model("sizes", model))


@lru_cache(maxsize=1)  # an artefact's weights are read once a process
def judge(who: str, region: str, model: str | None, champion: Path | None) -> "Judge | None":
    """Who answers a brand's questions; None leaves them out.

    Args:
        champion: folder of the attributes' champion.

    Raises:
        SelvedgeError: as `words`; or the champion is asked for, and its folder is none.
    """
    if who == BEDROCK:
        from inference.ad_images.aws import make_client
        from inference.ad_images.quality.bedrock_judge import BedrockJudge

        return BedrockJudge(make_client("bedrock-runtime", region), hosted_model("judge", model))
    if who == "champion":
        if champion is None:
            raise SelvedgeError(
                "SELVEDGE_AD_JUDGE is champion, and attributes have none yet; promote one, or set none."
            )
        from inference.ad_images.quality.champion_judge import ChampionJudge
        from training.blip2.artefact import load_artefact

        return ChampionJudge(load_artefact(champion))
    return None


def hosted_model(use: str, model: str | None) -> str:
    """Raises SelvedgeError: no model is named for a use ("words", "sizes", "judge")."""
    if not model:
        raise SelvedgeError(
            f"SELVEDGE_AD_{use.upper()} is bedrock, and no model is named; set SELVEDGE_AD_MODEL to a model id."
        )
    return model


def rows(address: str, region: str) -> "AdMetadata":
    """Where rows are kept.

    Raises:
        SelvedgeError: no such table or database. ServiceUnavailable: it does not answer.
    """
    if address.startswith(DYNAMODB):
        from inference.ad_images.aws import make_client
        from inference.ad_images.dynamo_rows import DynamoAdMetadata

        table = DynamoAdMetadata(make_client("dynamodb", region), address.removeprefix(DYNAMODB))
        table.require()
        return table
    from inference.ad_images.ad_rows import SqlAdMetadata

    return SqlAdMetadata(address)
