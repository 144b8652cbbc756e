"""What the report of a round shows, gathered from the ledger and the round's folder, un-blinded.

Belongs here: figures and texts as plain data. Not here: the page (report.py), its plots (evaluation/review_plots.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from catalog.errors import SelvedgeError
from catalog.pages import Picture, small
from labeling.review.rounds.judging import Standing, standing, table_of

if TYPE_CHECKING:
    import pandas as pd

    from evaluation.agreement import Agreement, Consistency
    from evaluation.ballots import SideBias
    from evaluation.intervals import Interval
    from evaluation.paired_models import Strengths
    from labeling.review.ledger.ledger import Ledger
    from labeling.review.ledger.records import Round
    from labeling.review.pairs.kinds import PairKind
    from labeling.review.rounds.compared import Compared
    from labeling.review.rounds.material import Material

SHOWN_PAIRS = 10
SLICES = {"article_type": "type", "gender": "gender", "base_colour": "colour"}
PHOTO_SIDE = 300  # pixels
RESAMPLES = 200  # of the cluster bootstrap: 3 ms each


@dataclass(frozen=True)
class Rater:
    """One annotator's ballots. share: of their decided plain ballots for the candidate; gold: right ones of all."""

    name: str
    ballots: int
    decided: int
    share: float | None
    gold_right: int
    gold: int
    left_share: float | None
    seconds: float
    simulated: bool
    excluded: str


@dataclass(frozen=True)
class SliceRow:
    """Ballots of one slice of products. low, high: interval of the share, valid at every look."""

    name: str
    won: int
    lost: int
    ties: int
    share: float | None
    low: float
    high: float


@dataclass(frozen=True)
class DisputedPair:
    """A pair on which raters disagreed; sides are HTML as annotators saw them. photo: beside them."""

    product_id: int
    name: str
    photo: Picture
    candidate: str
    opponent: str
    votes: tuple[tuple[str, str], ...]  # rater, choice
    disagreement: float


@dataclass(frozen=True)
class RoundFindings:
    """Everything on the page.

    Attributes:
        kind: of pair. model: of this round's two versions. family: strengths of all versions of the family that rounds
            of this kind connect with them; None where there are only the two.
    """

    standing: Standing
    kind: "PairKind[Any]"
    path: "pd.DataFrame"
    model: "Strengths | None"
    family: "Strengths | None"
    agreement: "Agreement"
    consistency: "Consistency"
    side_bias: "SideBias"
    raters: tuple[Rater, ...]
    slices: Mapping[str, tuple[SliceRow, ...]]
    pairs: tuple[DisputedPair, ...]
    reasons: Mapping[str, int]
    shown: Mapping[str, int]  # tasks by kind of pair
    differing: tuple[int, int]  # test products whose two results differ, and all of them

    @property
    def family_rows(self) -> "list[tuple[str, float, Interval]]":
        """Version, strength and its interval, strongest first."""
        strengths = self.family
        if strengths is None or strengths.intervals is None:
            return []
        rows = zip(strengths.versions, strengths.strength, strengths.intervals, strict=True)
        return sorted(rows, key=lambda row: -row[1])


def gather_findings(ledger: "Ledger", round_id: str, compared: "Compared") -> RoundFindings:
    """Un-blind a round.

    Raises:
        SelvedgeError: there is no such round, or it is not judged: the report reveals the sides.
    """
    from evaluation.agreement import rater_agreement, self_consistency
    from evaluation.ballots import side_bias
    from evaluation.paired_models import fit_strengths, round_comparisons
    from evaluation.preference import evidence_path
    from labeling.review.rounds.ballots import last_ballots
    from labeling.review.rounds.registration import count_differing

    now = standing(ledger, round_id)
    if now.verdict is None:
        raise SelvedgeError(
            f"round {round_id} is {now.round.state} and not judged, and its report would tell the sides; "
            f"run `selvedge review close {round_id}` first."
        )
    table = table_of(ledger, round_id)
    excluded = {exclusion.rater: exclusion.detail for exclusion in ledger.exclusions(round_id)}
    kept = table[~table["rater"].isin(excluded)]
    counted = _counted(ledger, now.round, table)
    comparisons = round_comparisons(counted, "candidate", "opponent")
    reasons: dict[str, int] = {}
    for ballot in last_ballots(ledger.ballots(round_id)):
        for reason in ballot.annotation.reasons:
            reasons[reason] = reasons.get(reason, 0) + 1
    tasks = [pair.slot for pair in ledger.pairs(round_id).values()]
    return RoundFindings(
        standing=now,
        kind=compared.kind,
        path=evidence_path(table, now.round.plan.preference, now.round.plan.asked),
        model=fit_strengths(comparisons, resamples=RESAMPLES) if len(comparisons) else None,
        family=_family(ledger, now.round),
        agreement=rater_agreement(counted),
        consistency=self_consistency(kept),
        side_bias=side_bias(kept),
        raters=_raters(table, excluded),
        slices={label: _slices(counted, compared, column, now) for column, label in SLICES.items()},
        pairs=_disputed(counted, compared, now.round.plan.seed),
        reasons=dict(sorted(reasons.items(), key=lambda item: -item[1])),
        differing=count_differing(compared.material(now.round.plan.seed), compared.products, compared.splits),
        shown={kind: tasks.count(kind) for kind in ("plain", "gold", "aa", "repeat")},
    )


def _counted(ledger: "Ledger", registered: "Round", table: "pd.DataFrame") -> "pd.DataFrame":
    """A round's ballots less the plain ones that its plan leaves out: what the verdict rests on."""
    from evaluation.ballots import COUNTED
    from evaluation.preference import ballot_fates

    plan = registered.plan
    excluded = {exclusion.rater: exclusion.detail for exclusion in ledger.exclusions(plan.round_id)}
    fates = ballot_fates(table, excluded, plan.preference, plan.asked)
    return table.drop(index=fates.index[fates != COUNTED])


def _family(ledger: "Ledger", registered: "Round") -> "Strengths | None":
    """Bradley-Terry strengths over every judged round of this kind whose versions a chain of rounds joins to these."""
    import pandas as pd

    from evaluation.paired_models import fit_strengths, round_comparisons

    judged = []
    for other in ledger.rounds(registered.plan.family):
        name, plan = other.plan.round_id, other.plan
        if other.void is None and plan.kind == registered.plan.kind and ledger.verdict(name) is not None:
            counted = _counted(ledger, other, table_of(ledger, name))
            rows = round_comparisons(counted, plan.candidate_version, plan.opponent_version)
            if len(rows):
                judged.append(({plan.candidate_version, plan.opponent_version}, rows))
    versions = {registered.plan.candidate_version, registered.plan.opponent_version}
    joined: list[pd.DataFrame] = []
    while near := [entry for entry in judged if entry[0] & versions]:
        judged = [entry for entry in judged if not entry[0] & versions]
        versions |= set().union(*(names for names, _ in near))
        joined += [rows for _, rows in near]
    if len(versions) < 3:
        return None
    return fit_strengths(pd.concat(joined, ignore_index=True), resamples=RESAMPLES)


def _raters(table: "pd.DataFrame", excluded: Mapping[str, str]) -> tuple[Rater, ...]:
    from labeling.review.rounds.annotators import is_simulated

    raters = []
    for name, rows in table.groupby("rater", sort=True):
        plain, gold = rows[rows["kind"] == "plain"], rows[rows["kind"] == "gold"]
        decided = plain[plain["choice"].isin(["candidate", "champion"])]
        sides = rows.loc[(rows["kind"] != "aa") & rows["side"].isin(["left", "right"]), "side"]
        raters.append(
            Rater(
                name=str(name),
                ballots=len(rows),
                decided=len(decided),
                share=float((decided["choice"] == "candidate").mean()) if len(decided) else None,
                gold_right=int(gold["correct"].astype(bool).sum()),
                gold=len(gold),
                left_share=float((sides == "left").mean()) if len(sides) else None,
                seconds=float(rows["seconds"].median()),
                simulated=is_simulated(str(name)),
                excluded=excluded.get(str(name), ""),
            )
        )
    return tuple(raters)


def _slices(table: "pd.DataFrame", compared: "Compared", column: str, now: Standing) -> tuple[SliceRow, ...]:
    """Slices of plain ballots, largest first; products without a value are a slice of their own."""
    from evaluation.sequential import confidence_sequence

    if column not in compared.products:
        return ()
    plan = now.round.plan.preference
    plain = table[table["kind"] == "plain"]
    values = dict(zip(compared.products["product_id"].astype(str), compared.products[column], strict=True))
    names = plain["item"].map(values).map(lambda value: value if isinstance(value, str) and value else "not stated")
    rows = []
    for name, ballots in plain.groupby(names, sort=True):
        won, lost = (int((ballots["choice"] == choice).sum()) for choice in ("candidate", "champion"))
        low, high = confidence_sequence(won, lost, plan.alpha, plan.shape)
        share = won / (won + lost) if won + lost else None
        rows.append(SliceRow(str(name), won, lost, len(ballots) - won - lost, share, float(low), float(high)))
    return tuple(sorted(rows, key=lambda row: -(row.won + row.lost + row.ties)))


def _disputed(table: "pd.DataFrame", compared: "Compared", seed: int) -> tuple[DisputedPair, ...]:
    """The pairs whose raters disagreed most: the share of pairs of ballots that differ, then the number of ballots."""
    plain = table[table["kind"] == "plain"]
    scored = []
    for item, rows in plain.groupby("item"):
        counts, n = rows["choice"].value_counts(), len(rows)
        if n >= 2 and len(counts) > 1:
            same = sum(int(count) * (int(count) - 1) for count in counts)
            scored.append((1 - same / (n * (n - 1)), n, str(item), rows))
    scored.sort(key=lambda entry: (-entry[0], -entry[1], int(entry[2])))
    material = compared.material(seed)
    return tuple(_shown(compared, material, int(item), rows, score) for score, _, item, rows in scored[:SHOWN_PAIRS])


def _shown(
    compared: "Compared", material: "Material[Any]", item: int, rows: "pd.DataFrame", score: float
) -> DisputedPair:
    kind = material.kind
    candidate, opponent = kind.level(material.candidate[item], material.champion[item])
    product = compared.products.set_index("product_id").loc[item]
    name = str(product.get("product_display_name") or f"product {item}")
    beside = material.products[item].picture()
    votes = tuple((str(rater), str(choice)) for rater, choice in zip(rows["rater"], rows["choice"], strict=True))
    sides = kind.report(kind.render(candidate), kind.render(opponent))
    return DisputedPair(item, name, small(beside, PHOTO_SIDE, name), *sides, votes, score)
