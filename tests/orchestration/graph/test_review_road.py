"""The road of a family with a blind round: nobody is asked in vain, people promote once, and nothing else does."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from catalog.errors import SelvedgeError
from evaluation.gate import GateRule
from evaluation.preference_plan import PreferencePlan
from labeling.review.pairs.kinds import AttributeCards
from labeling.review.rounds import judging
from labeling.review.rounds.compared import ABOUT_FILE
from orchestration.assets.failed_runs import LeftFailed, left_failed
from orchestration.assets.partitions import candidate_partitions
from orchestration.assets.published import Tables, materialised
from orchestration.families.contract import Family, Review, asset_key
from orchestration.graph.road import family_definitions
from orchestration.jobs.in_process import InProcess
from orchestration.registry.promotion import history, promote
from orchestration.report.state import candidates_without_a_round
from tests.orchestration.drawn_round import votes
from tests.orchestration.paper_models import PaperModels
from tests.orchestration.paper_registry import PaperRegistry
from tests.orchestration.paper_reviews import ITEMS, PaperReviews, as_held
from tests.orchestration.registering import evidence_of
from tests.orchestration.toy_family import open_toy, toy_family, toy_settings
from training.reporting import Silent

PREFERRED, REJECTED = 0.97, 0.03


@dataclass
class Road:
    family: Family
    registry: Any
    reviews: PaperReviews
    tables: Tables
    graph: InProcess

    def candidate(self, mean: float = 0.5) -> str:
        """Open a candidate and let everything follow that may."""
        opened = open_toy(self.graph.instance, self.tables, mean)
        self.graph.settle()
        return opened

    def told(self, key: dg.AssetKey, candidate: str) -> dict[str, Any] | None:
        return materialised(self.graph.instance, "/".join(key.path), candidate)

    def gate(self, candidate: str) -> tuple[bool, str]:
        """The verdict's check of a candidate: passed, and what it said."""
        key = dg.AssetCheckKey(self.family.verdict, "gate")
        runs = [
            record.event.dagster_event.asset_check_evaluation_data  # type: ignore[union-attr]
            for record in self.graph.instance.event_log_storage.get_asset_check_execution_history(key, limit=50)
            if record.event and record.event.dagster_event
        ]
        mine = [one for one in runs if one.partition == candidate]  # type: ignore[union-attr]
        return mine[0].passed, str(mine[0].description)  # type: ignore[union-attr]

    def moves(self) -> list[tuple[str, str]]:
        return [(one.kind, one.version) for one in history(self.registry, self.family.name)]


@pytest.fixture
def make_road(tmp_path: Path) -> Callable[..., Road]:
    def make(simulated: bool = True) -> Road:
        settings = toy_settings(tmp_path)
        registry = PaperRegistry(settings)
        rule = GateRule(
            "toy", required=("metrics", "verdict"), plan_sha256=PreferencePlan().sha256, simulated_ballots=simulated
        )
        review = Review(lambda: (AttributeCards(),), contest=none_needed)
        prepared = ("training/toy_preparation",)  # never made: tests open their own candidates
        family = replace(toy_family(), rule=lambda _: rule, review=review, prepared=prepared)
        tables = Tables(root=str(settings.tables()))
        reviews = PaperReviews(settings, registry)

        @dg.asset(key=["training", "toy_features"])
        def toy_features() -> dg.MaterializeResult:
            return dg.MaterializeResult()

        @dg.asset(key=asset_key(prepared[0]))
        def toy_preparation() -> dg.MaterializeResult:
            return dg.MaterializeResult()

        resources = {
            "settings": settings,
            "tables": tables,
            "models": PaperModels(registry),
            "reviews": reviews,
            "progress": Silent(),
        }
        definitions = dg.Definitions.merge(
            dg.Definitions(
                assets=[toy_features, toy_preparation], resources=resources, executor=dg.in_process_executor
            ),
            family_definitions(family),
        )
        graph = InProcess(definitions, dg.DagsterInstance.ephemeral())
        graph.run([dg.AssetKey(["training", "toy_features"])])
        return Road(family, registry, reviews, tables, graph)

    return make


@pytest.fixture
def road(make_road: Callable[..., Road]) -> Road:
    return make_road()


def none_needed(*_: Any) -> Any:
    raise AssertionError("rounds on paper compare drawn results")


def test_people_prefer_it_and_it_becomes_champion_once(road: Road) -> None:
    first = road.candidate()
    opened = road.told(road.family.round, first)
    assert opened is not None and opened["against"] == "base base" and opened["pairs"] > 40
    assert road.told(road.family.verdict, first) is None and road.moves() == []
    assert road.graph.settle() == 0 and road.reviews.pulls == 0  # nobody voted: nothing runs
    road.reviews.vote(first, PREFERRED)
    road.graph.settle()
    verdict = road.told(road.family.verdict, first)
    assert verdict is not None and verdict["outcome"] == "preferred" and verdict["simulated"]
    assert Path(verdict["report"]).read_text().count("What people preferred") == 1
    assert road.gate(first)[0] and road.moves() == [("promotion", "1")]
    (record,) = history(road.registry, "toy")
    assert record.simulated and record.evidence[f"round:{first}-r1"] == verdict["verdict_sha256"]
    assert road.graph.settle() == 0


def test_people_prefer_what_there_is_and_the_candidate_is_no_challenger_any_more(road: Road) -> None:
    road.reviews.vote(champion := road.candidate(), PREFERRED)
    road.graph.settle()
    loser = road.candidate(0.6)
    assert road.told(road.family.round, loser)["against"] == "champion 1"  # type: ignore[index]
    assert road.registry.aliases("toy") == {"champion": 1, "challenger": 2}
    road.reviews.vote(loser, REJECTED)
    road.graph.settle()  # a lost gate is a warning: no run fails
    passed, reasons = road.gate(loser)
    assert not passed and "not_preferred: people preferred the other version" in reasons
    assert road.registry.aliases("toy") == {"champion": 1}
    assert "refused: " in road.registry.version("toy", 2).tags["selvedge.gate"]
    assert road.told(road.family.promotion, loser) is None and road.gate(champion)[0]
    with pytest.raises(SelvedgeError, match=r"the verdict of round .* is not_preferred"):
        road.graph.run([road.family.promotion], loser)
    assert road.moves() == [("promotion", "1")]


def test_nobody_is_asked_about_a_candidate_whose_scores_lost(road: Road) -> None:
    loser = road.candidate(0.3)  # worse than the base
    assert road.told(road.family.scores, loser) and road.told(road.family.round, loser) is None
    assert road.reviews.ledger().rounds() == [] and road.registry.aliases("toy") == {}


def test_a_shop_with_too_few_test_products_has_no_failed_run_and_is_told_what_to_do(road: Road) -> None:
    road.reviews.items = 4000
    candidate = road.candidate()  # no run of it fails: `settle` would raise
    instance, watched = road.graph.instance, {road.family.round: candidate_partitions("toy")}
    assert road.told(road.family.round, candidate) is None and road.graph.settle() == 0
    (sentence,) = candidates_without_a_round(instance, [road.family])
    assert sentence.startswith(f"candidate {candidate} of toy waits without a round: round {candidate}-r1 needs 4")
    assert "test products" in sentence and "SELVEDGE_REVIEW_ITEMS is " in sentence
    assert left_failed(instance, watched) == [LeftFailed("review/toy_round", 1, ((candidate, sentence),))]
    road.reviews.items = ITEMS
    road.graph.run([road.family.round], candidate)
    assert road.told(road.family.round, candidate) is not None
    assert candidates_without_a_round(instance, [road.family]) == left_failed(instance, watched) == []


def test_ballots_that_do_not_decide_are_pulled_and_nothing_is_materialised(road: Road) -> None:
    candidate = road.candidate()
    road.reviews.vote(candidate, PREFERRED, raters=2)  # below the quorum
    assert road.graph.settle() == 1
    assert road.reviews.pulls == 1 and road.told(road.family.verdict, candidate) is None
    assert road.graph.settle() == 0 and road.reviews.pulls == 1  # the counter did not move
    road.reviews.vote(candidate, PREFERRED)
    road.graph.settle()
    assert road.moves() == [("promotion", "1")]


def test_a_round_that_can_bring_no_further_ballot_ends_as_inconclusive(road: Road) -> None:
    candidate = road.candidate()
    road.reviews.vote(candidate, 0.5, raters=3)
    road.graph.settle()
    assert road.told(road.family.verdict, candidate)["outcome"] == "inconclusive"  # type: ignore[index]
    assert not road.gate(candidate)[0] and road.moves() == []


def test_a_round_that_was_closed_by_hand_is_published(road: Road) -> None:
    from labeling.review.rounds.judging import close_round

    candidate = road.candidate()
    road.reviews.vote(candidate, PREFERRED)
    round_id = f"{candidate}-r1"
    ledger = road.reviews.ledger()
    from labeling.review.rounds.ballots import as_pulled, sync

    sync(ledger, round_id, [as_pulled(one) for one in road.reviews.held[1]])
    close_round(road.reviews.settings.rounds(), ledger, round_id)
    road.reviews.down = True  # Label Studio is not needed any more
    road.graph.settle()
    assert road.moves() == [("promotion", "1")]


def test_a_label_studio_that_is_down_holds_up_only_its_own_round(road: Road) -> None:
    candidate = road.candidate()
    road.reviews.vote(candidate, PREFERRED)
    road.reviews.down = True
    assert road.graph.settle() == 0
    road.reviews.down = False
    road.graph.settle()
    assert road.moves() == [("promotion", "1")]


def test_promotion_by_hand_without_a_verdict_is_refused(road: Road) -> None:
    candidate = road.candidate()
    with pytest.raises(SelvedgeError, match="evidence of kind verdict is missing"):
        road.graph.run([road.family.promotion], candidate)
    road.reviews.vote(candidate, PREFERRED, raters=2)
    road.graph.settle()
    with pytest.raises(SelvedgeError, match="evidence of kind verdict is missing"):
        road.graph.run([road.family.promotion], candidate)


def test_the_pass_of_one_candidate_does_not_release_another(road: Road) -> None:
    waiting, winner = road.candidate(0.5), road.candidate(0.55)
    road.reviews.vote(winner, PREFERRED)
    road.graph.settle()
    assert road.moves() == [("promotion", "2")] and road.told(road.family.promotion, waiting) is None
    road.reviews.vote(waiting, PREFERRED)  # judged against the base, which nobody is champion over any more
    road.graph.settle()
    passed, reasons = road.gate(waiting)
    assert (
        not passed and "the evidence was gathered against no champion, but now there is champion version 2" in reasons
    )
    with pytest.raises(SelvedgeError, match="but now there is champion version 2"):
        road.graph.run([road.family.promotion], waiting)


def test_an_old_winners_verdict_materialised_again_moves_nothing(road: Road) -> None:
    road.reviews.vote(old := road.candidate(), PREFERRED)
    road.graph.settle()
    road.reviews.vote(new := road.candidate(0.6), PREFERRED)
    road.graph.settle()
    assert road.moves() == [("promotion", "1"), ("promotion", "2")]
    road.graph.run([road.family.verdict], old)
    road.graph.settle()
    with pytest.raises(SelvedgeError, match=r"this verdict already made version 1 champion|now there is champion"):
        road.graph.run([road.family.promotion], old)
    assert road.moves() == [("promotion", "1"), ("promotion", "2")] and road.gate(new)[0]


def test_evidence_against_a_former_champion_is_refused(road: Road) -> None:
    road.reviews.vote(road.candidate(), PREFERRED)
    road.graph.settle()
    late = road.candidate(0.6)  # its round is against version 1 …
    road.registry.add("toy", "c9")
    assert promote(road.registry, GateRule("toy"), evidence_of("toy", "c9", 1)).promoted  # … which was replaced since
    road.reviews.vote(late, PREFERRED)
    road.graph.settle()
    assert "against champion version 1, but now there is champion version 3" in road.gate(late)[1]
    with pytest.raises(SelvedgeError, match="but now there is champion version 3"):
        road.graph.run([road.family.promotion], late)
    assert road.moves()[-1] == ("promotion", "3")


def test_ballots_edited_by_another_user_do_not_count(road: Road) -> None:
    candidate = road.candidate()
    cast = votes(road.reviews.ledger(), REJECTED, 4, f"{candidate}-r1")
    pairs = road.reviews.ledger().pairs(f"{candidate}-r1")
    turned = [
        as_held(replace(one, side="left" if pairs[one.task_key].left == "candidate" else "right"), changed_by=99)
        for one in cast
    ]
    road.reviews.held[1] = turned
    road.graph.settle()
    told = road.told(road.family.verdict, candidate)
    assert told is not None and told["outcome"] == "inconclusive" and "0 raters have decided ballots" in told["why"]
    assert road.moves() == []


def test_a_plan_changed_after_the_first_ballot_voids_the_round(road: Road) -> None:
    candidate = road.candidate()
    place = road.reviews.settings.rounds() / f"{candidate}-r1" / ABOUT_FILE
    about = json.loads(place.read_text())
    place.write_text(json.dumps(about | {"plan": about["plan"].replace('"alpha": 0.05', '"alpha": 0.4')}))
    road.reviews.vote(candidate, PREFERRED)
    with pytest.raises(SelvedgeError, match="is void from now on"):
        road.graph.settle()
    assert road.graph.settle() == 0
    with pytest.raises(SelvedgeError, match="evidence of kind verdict is missing"):
        road.graph.run([road.family.promotion], candidate)


def test_a_round_by_an_easier_plan_promotes_nothing(road: Road) -> None:
    from tests.orchestration.drawn_round import opened

    candidate = open_toy(road.graph.instance, road.tables, 0.5)
    road.graph.run([road.family.candidate, road.family.scores], candidate)
    easier = {"preference": PreferencePlan(alpha=0.4), "opponent": "base", "opponent_version": "base"}
    names = {"round_id": f"{candidate}-r1", "family": "toy", "candidate": candidate, "candidate_version": "1"}
    opened(road.reviews.settings, **easier, **names)
    road.reviews.vote(candidate, PREFERRED)
    road.graph.run([road.family.verdict], candidate)
    assert "was held by another plan than toy demands" in road.gate(candidate)[1] and road.moves() == []


def test_scripted_ballots_promote_in_the_demo_alone(make_road: Callable[..., Road]) -> None:
    road = make_road(simulated=False)
    road.reviews.vote(candidate := road.candidate(), PREFERRED)
    road.graph.settle()
    assert "rests on simulated ballots, which promote in the demo alone" in road.gate(candidate)[1]
    assert road.moves() == []


def test_an_alias_moved_by_hand_during_a_round_is_told_and_the_winner_refused(road: Road) -> None:
    road.reviews.vote(road.candidate(), PREFERRED)
    road.graph.settle()
    loser, judged = road.candidate(0.3), road.candidate(0.6)
    road.registry.client.set_registered_model_alias("toy", "champion", "2")
    road.graph.settle()
    assert road.moves() == [("promotion", "1"), ("by_hand", "2")]
    road.reviews.vote(judged, PREFERRED)
    road.graph.settle()
    assert not road.gate(judged)[0] and road.moves()[-1] == ("by_hand", "2")
    assert road.told(road.family.round, loser) is None


def test_a_run_that_was_killed_is_asked_for_again(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestration.graph import review as family_review

    candidate = road.candidate()
    road.reviews.vote(candidate, PREFERRED)
    with monkeypatch.context() as patch:
        patch.setattr(judging, "judge_if_decided", killed)
        with pytest.raises(SelvedgeError, match="killed here"):
            road.graph.settle()
    assert road.graph.settle() == 0  # not at once: a permanent failure must not become a storm of runs
    monkeypatch.setattr(family_review, "AGAIN_SECONDS", 0.0)
    road.graph.settle()
    assert road.moves() == [("promotion", "1")]


def killed(*_: Any) -> None:
    raise SelvedgeError("killed here.")
