"""Hops of the model behind an answer: version and weights, run, candidate, data set, its rows, votes, promotion.

Belongs here: looking them up and hashing them again. Not here: what was published (published_hops.py).
"""

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any

from upath import UPath

from catalog.datasets import hashed_dataset
from catalog.errors import SelvedgeError
from orchestration.assets.candidates import Opening, read_opening
from orchestration.assets.partitions import FINGERPRINT_DIGITS
from orchestration.assets.published import materialised
from orchestration.families.contract import Family
from orchestration.families.registered import VERSION, trained_as
from orchestration.graph.evidence import newest_round, scores_evidence, unsigned
from orchestration.report.hops import BROKEN, CHECKED, MISSING, RECORDED, SHORT, Hop, Sources

if TYPE_CHECKING:
    from labeling.review.ledger.ledger import Ledger


def model_hops(sources: Sources, uri: str, digest: str, product_id: int, group: str) -> list[Hop]:
    """From a model's address to what it was made from and why it is champion.

    Args:
        digest: as the answers are stamped with. group: of the product, as it stands now; "" where it has none.

    Raises:
        ServiceUnavailable: the ledger does not answer.
    """
    named = VERSION.fullmatch(uri)
    family = sources.families.get(named["family"]) if named else None
    if named is None or family is None:
        return [
            Hop("model", uri, state=MISSING, note="the answers are of no registered version; only those are traced")
        ]
    version = named["version"]
    candidate, about = trained_as(sources.home.instance, family, version)
    if candidate is None:
        why = f"no candidate of {family.name} in this home was registered as version {version}"
        return [Hop("model", uri, state=MISSING, note=why)]
    key = (family.name, version, digest)
    if key not in sources.kept:
        made = _candidate(sources, family, candidate)
        sources.kept[key] = (_weights(sources, family, version, digest, about), _run(sources, about), made)
        sources.kept[(*key, "judged")] = tuple(_judged(sources, family, candidate, version))
    of_data = _dataset(sources, family, candidate, product_id, group)
    return [*sources.kept[key], *of_data, *sources.kept[(*key, "judged")]]


def _weights(sources: Sources, family: Family, version: str, digest: str, about: dict[str, Any]) -> Hop:
    """The version: the stamp on the answers, the record, and the weights themselves must be one."""
    value = f"models:/{family.name}/{version}, weights {digest[:SHORT]}"
    link = f"{sources.home.settings.mlflow_uri}/#/models/{family.name}/versions/{version}"
    if str(about.get("digest")) != digest:
        recorded = str(about.get("digest"))[:SHORT]
        return Hop("model", value, link, BROKEN, f"version {version} was registered with the weights {recorded}")
    registry, why = sources.registry
    if registry is None:
        return Hop("model", value, link, RECORDED, f"the weights were not hashed again: {why}")
    try:
        folder = registry.artefact_path(registry.version(family.name, int(version)))
        now = family.digest(folder)
    except SelvedgeError as error:
        return Hop("model", value, link, BROKEN, str(error))
    if now != digest:
        return Hop("model", value, link, BROKEN, f"the files of version {version} have the digest {now[:SHORT]}")
    return Hop("model", value, link, CHECKED, "weights hashed again")


def _run(sources: Sources, about: dict[str, Any]) -> Hop:
    recorded = str(about.get("MLflow run", ""))
    if not recorded:
        return Hop("MLflow run", state=MISSING, note="the candidate's asset names no run")
    return Hop("MLflow run", recorded.rpartition("/")[2], sources.run_page(recorded))


def _candidate(sources: Sources, family: Family, candidate: str) -> Hop:
    """What it was opened with; its name ends in the first digits of that record's hash."""
    link = sources.asset_page("/".join(family.candidate.path), candidate)
    try:
        opening = read_opening(sources.home.tables, family.name, candidate)
    except SelvedgeError as error:
        return Hop("candidate", candidate, link, MISSING, str(error))
    if not candidate.endswith(opening.fingerprint[:FINGERPRINT_DIGITS]):
        return Hop("candidate", candidate, link, BROKEN, "the record of what it was opened with was changed")
    why = f"; opened because {opening.reason}" if opening.reason else ""
    return Hop("candidate", candidate, link, CHECKED, f"settings and data set hashed again: they give its name{why}")


def _dataset(sources: Sources, family: Family, candidate: str, product_id: int, group: str) -> list[Hop]:
    """The frozen tables that it learnt from, and those rows of them that are of the product's group."""
    try:
        opening = read_opening(sources.home.tables, family.name, candidate)
    except SelvedgeError as error:
        return [Hop("data set", state=MISSING, note=str(error))]
    key = ("dataset", family.name, candidate)
    if key not in sources.kept:
        sources.kept[key] = (_whole_dataset(sources, family, opening),)
    whole = sources.kept[key][0]
    if whole.state in (MISSING, BROKEN):
        return [whole, Hop("Q&A rows", state=MISSING, note="the data set above cannot be read")]
    return [whole, _taught(sources, opening, product_id, group)]


def _whole_dataset(sources: Sources, family: Family, opening: Opening) -> Hop:
    folder, recorded = str(opening.dataset.get("dataset", "")), str(opening.dataset.get("dataset_sha256", ""))
    drops = ", ".join(opening.dataset.get("drops", ()))
    value = f"{recorded[:SHORT]} of {drops}" if drops else recorded[:SHORT]
    link = sources.asset_page("/".join(family.prepared_by[-1].path))
    if not folder:
        return Hop("data set", value or opening.dataset_sha256[:SHORT], link, RECORDED, "kept in the family's own form")
    try:
        now = hashed_dataset(folder)
    except SelvedgeError as error:
        return Hop("data set", value, folder, BROKEN if UPath(folder).exists() else MISSING, str(error))
    if now != recorded:
        return Hop("data set", value, folder, BROKEN, f"its tables hash to {now[:SHORT]} now")
    return Hop("data set", value, folder, CHECKED, "its four tables hashed again")


def _taught(sources: Sources, opening: Opening, product_id: int, group: str) -> Hop:
    """Which questions of the product's group the model was taught, and in which split."""
    file = f"{opening.dataset['dataset']}/qa_pairs.parquet"
    pairs = sources.frozen(file)
    own = pairs[pairs["product_id"] == product_id]
    groups = set(own["group_id"]) | ({group} if group else set())
    rows = pairs[pairs["group_id"].isin(groups)]
    if rows.empty:
        why = "no row of the data set is of this product's group: the model was taught nothing of it"
        return Hop("Q&A rows", "0", file, CHECKED, why)
    split = ", ".join(sorted(set(rows["split"])))
    of_group = f"{len(rows)} of {rows['product_id'].nunique()} products of its group ({split})"
    asked = "; ".join(f"{row.question} {row.answer}" for row in own.itertuples(index=False))
    return Hop("Q&A rows", f"{of_group}: {asked}" if asked else of_group, file, CHECKED, "read from the data set")


def _judged(sources: Sources, family: Family, candidate: str, version: str) -> list[Hop]:
    """The scores' evidence, the votes of its round, and the record that made it champion."""
    from orchestration.registry.ledger import open_ledger

    ledger = open_ledger(sources.home.settings)
    return [
        _evidence(sources, family, candidate),
        *([_votes(sources, family, candidate, ledger)] if family.review is not None else []),
        _promotion(sources, family, version, ledger),
    ]


def _evidence(sources: Sources, family: Family, candidate: str) -> Hop:
    name = "/".join(family.scores.path)
    link = sources.asset_page(name, candidate)
    try:
        home = sources.home
        evidence = scores_evidence(family, home.instance, home.tables, candidate, home.settings, to_read=True)
    except SelvedgeError as error:
        state = MISSING if materialised(sources.home.instance, name, candidate) is None else BROKEN
        return Hop("scores", link=link, state=state, note=str(error))
    against = f"champion version {evidence.champion_version}" if evidence.champion_version else "the base"
    note = "evidence hashed again"
    note += "; it has no signature, as an older Selvedge left it" if unsigned(family, home.tables, candidate) else ""
    return Hop("scores", f"evidence {evidence.sha256[:SHORT]} against {against}", link, CHECKED, note)


def _votes(sources: Sources, family: Family, candidate: str, ledger: "Ledger") -> Hop:
    from labeling.review.rounds.ballots import ballots_sha256, last_ballots

    registered = newest_round(ledger, family.name, candidate)
    if registered is None:
        return Hop("votes", state=MISSING, note="no round was opened for this candidate")
    round_id = registered.plan.round_id
    page = sources.home.settings.round_report(round_id)
    link = str(page) if page.exists() else sources.asset_page("/".join(family.verdict.path), candidate)
    verdict, ballots = ledger.verdict(round_id), ledger.ballots(round_id)
    counted = list(last_ballots(ballots))
    raters = Counter(ballot.annotation.rater for ballot in counted)
    scripted = " (scripted annotators: simulated)" if verdict is not None and verdict.simulated else ""
    outcome = verdict.outcome.replace("_", " ") if verdict else f"round is {registered.state}"
    value = f"{round_id}: {outcome}, {len(counted)} ballots of {len(raters)} annotators{scripted}"
    if verdict is None:
        return Hop("votes", value, link, RECORDED, "the round has no verdict")
    evidence = hashlib.sha256(verdict.evidence.encode()).hexdigest()
    if evidence != verdict.evidence_sha256 or ballots_sha256(ballots) != verdict.ballots_sha256:
        return Hop("votes", value, link, BROKEN, "the ballots in the ledger are not those that the verdict names")
    return Hop("votes", value, link, CHECKED, "ballots and verdict hashed again")


def _promotion(sources: Sources, family: Family, version: str, ledger: "Ledger") -> Hop:
    name = "/".join(family.champion.path)
    link = sources.asset_page(name)
    records = [
        record
        for record in ledger.promotions.history(family.name)
        if record.version == version and record.outcome == "completed"
    ]
    if not records:
        return Hop("promotion", link=link, state=MISSING, note=f"no record made version {version} champion")
    record = max(records, key=lambda entry: entry.number)
    kind = record.kind.replace("_", " ")
    stamp = ", simulated" if record.simulated else ""
    value = f"{kind} {record.record_id} by {record.who}, {record.at:%Y-%m-%d %H:%M} UTC{stamp}"
    return Hop("promotion", value, link, RECORDED, " ".join(record.reasons))
