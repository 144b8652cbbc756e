"""The declaration of restgan.

Belongs here: what sets the family apart, as data, and the functions of a few lines that it needs. Not here: training
and scoring (candidate.py), comparing two models (contest.py), its assets (preparation.py, publication.py), its command
(discover.py).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.errors import SelvedgeError
from orchestration.families.contract import Adopted, Family, ResultKeys, Review
from orchestration.families.restgan import NAME
from orchestration.families.restgan.candidate import digest, score, train
from orchestration.families.restgan.contest import contest
from orchestration.families.restgan.discover import DISCOVER
from orchestration.families.restgan.report_section import section

if TYPE_CHECKING:
    import dagster as dg

    from evaluation.evidence import GateRule
    from labeling.review.pairs.strips import PictureStrips
    from orchestration.assets.candidates import Opening
    from orchestration.assets.published import Tables
    from orchestration.registry.interface import Served
    from orchestration.runtime.settings import Settings
    from training.restgan.candidate import RestganCandidateSettings

COLOUR_TABLE, WORD_SEQUENCES, JUDGE = "training/color_table", "training/word_sequences", "training/restgan_judge"
MINIMUM_ROWS = 100  # test bottoms; an equally good candidate of 59 was turned away in 40 of 100 cases
MARGIN = 0.05  # of accuracy: what a candidate may be worse by and still be shown to people


def settings() -> "type[RestganCandidateSettings]":
    from training.restgan.candidate import RestganCandidateSettings

    return RestganCandidateSettings


def open_candidate(instance: "dg.DagsterInstance", settings: "Settings", tables: "Tables") -> "Opening":  # noqa: ARG001 (the contract's)
    """A candidate of the present settings on the data set that the newest judge learnt from.

    Raises:
        SelvedgeError: the judge was never materialised.
    """
    from orchestration.assets.candidates import Opening
    from orchestration.families.stages import candidate_settings, require_materialised
    from training.restgan.candidate import RestganCandidateSettings

    judge = require_materialised(instance, JUDGE, RESTGAN.training_job)
    values = _named_by(asdict(candidate_settings(RestganCandidateSettings, settings, NAME)))
    dataset = {name: judge[name] for name in ("bottoms", "judge", "base", "base_digest", "drops")}
    made_from = _made_from(judge["bottoms_digest"], judge["digest"], judge["base_digest"])
    return Opening(NAME, values, made_from, dataset)


def adopt(adopted: Adopted, settings: "Settings") -> "Opening":
    """What a run by hand would have been opened with here; its bottoms and its judge are kept in this home.

    Raises:
        SelvedgeError: the artefact is not whole, or the data set does not give its bottoms.
    """
    from orchestration.assets.candidates import Opening
    from orchestration.families.restgan.preparation import DIGITS, judge_file
    from training.attribute_judge import save_judge
    from training.catalogue import read_catalogue_folder
    from training.restgan.candidate import BASE_FOLDER, bottoms_of
    from training.restgan.dataset import write_bottoms
    from training.restgan.sampling import read_about

    prepared = bottoms_of(adopted.artefact, read_catalogue_folder(Path(adopted.dataset), adopted.question_set))
    folder = settings.home / "bottoms" / prepared.bottoms.digest[:DIGITS]
    file = folder.with_name(f"{folder.name}-{prepared.judge.digest[:DIGITS]}")
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        write_bottoms(prepared.bottoms, folder)
    save_judge(prepared.judge, judge_file(str(file)))
    base = adopted.artefact / BASE_FOLDER
    base_digest = str(read_about(base)["digest"])
    dataset = {
        "bottoms": str(folder),
        "judge": str(judge_file(str(file))),
        "base": str(base),
        "base_digest": base_digest,
        "drops": list(adopted.drops),
    }
    made_from = _made_from(prepared.bottoms.digest, prepared.judge.digest, base_digest)
    return Opening(NAME, _named_by(adopted.run.settings), made_from, dataset)


def _named_by(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that make another candidate: not how many threads compute it, nor where its base lies."""
    training = {name: value for name, value in values["restgan"].items() if name != "threads"}
    return {**{name: value for name, value in values.items() if name != "base"}, "restgan": training}


def _made_from(bottoms: str, judge: str, base: str) -> str:
    return hashlib.sha256(f"{bottoms} {judge} {base}".encode()).hexdigest()


def rule(settings: "Settings") -> "GateRule":
    """Not clearly worse than what there is at what a judge can see; what is better to look at, people say.

    A classifier sees whether a picture is of black pants, not whether it is a good picture. So the scores may refuse a
    candidate, and only a round by the house's own plan promotes it.
    """
    from evaluation.evidence import METRICS, GateRule
    from evaluation.floors import MAJORITY
    from evaluation.gate import VERDICT
    from evaluation.preference_plan import PreferencePlan

    return GateRule(
        NAME,
        required=(METRICS, VERDICT),
        metric="accuracy",
        delta=2 * MARGIN,
        tolerance=MARGIN,
        minimum_rows=MINIMUM_ROWS,
        beats=(MAJORITY,),
        plan_sha256=PreferencePlan().sha256,
        simulated_ballots=settings.simulated_ballots,
    )


def lacks_bottoms(instance: "dg.DagsterInstance", settings: "Settings", tables: "Tables") -> str:  # noqa: ARG001 (the contract's)
    """Why the catalogue cannot train this family; "" where it can. Tables are read, and nothing is frozen."""
    from catalog.garments import choose_bottoms
    from catalog.tables import frame_of
    from orchestration.assets.dataset import delivered_tables

    delivered = {name: frame_of(table) for name, table in delivered_tables(instance, tables).items()}
    try:
        choose_bottoms(**delivered)
    except SelvedgeError as error:
        return str(error)
    return ""


def served() -> "Served":
    from orchestration.families.restgan.served import SERVED

    return SERVED


def assets() -> "Sequence[Any]":
    import dagster as dg

    from orchestration.families.restgan import preparation, publication

    return dg.load_assets_from_modules([preparation, publication])


def kinds() -> "tuple[PictureStrips]":
    """What a model that draws is shown by: a picture after each word."""
    from labeling.review.pairs.strips import PictureStrips

    return (PictureStrips(),)


RESTGAN = Family(
    name=NAME,
    describes="Draws what a shopper's words say, one picture after each word.",
    assets=assets,
    prepared=(COLOUR_TABLE, WORD_SEQUENCES, JUDGE),
    trained_from=(WORD_SEQUENCES, JUDGE),
    scored_on=(JUDGE,),
    publishes="inference/discovery_index",
    settings=settings,
    open=open_candidate,
    adopt=adopt,
    train=train,
    score=score,
    digest=digest,
    rule=rule,
    served=served,
    lacks=lacks_bottoms,
    review=Review(kinds, contest),
    section=section,
    results={
        "train": ResultKeys(
            {
                "bottoms": "products of the data set, all parts",
                "judge": "accuracy of the independent judge on held-out pictures, by attribute",
                "base_digest": "digest of what the candidate began with",
                "losses": "means of the losses since the report before the last one",
            },
            {"parameters": "those of text encoder and generator, not of its discriminators"},
        ),
        "evaluate": ResultKeys(
            {"pictures": "kid and word_accuracy, gain, retention, drift word by word, each value, low, high"},
            {"products": "bottoms of part test", "macro_f1": "what a judge reads in the pictures"},
        ),
    },
    commands=(DISCOVER,),
)
