"""The retraining policy: k of the last n and the newest, never twice for one alarm, never two at once."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from catalog.errors import SelvedgeError
from catalog.files import json_sha256
from orchestration.assets.candidates import REASON_TAG, Opening, name_candidate, read_opening, record_opening
from orchestration.assets.dataset import made_of
from orchestration.assets.partitions import DROPS, candidate_partitions
from orchestration.assets.published import materialised
from orchestration.cli.status_command import _retrained
from orchestration.families import FAMILIES
from orchestration.families.contract import Family
from orchestration.families.monitors import ALARM, CALM, DRIFT_CHECK, UNJUDGED, Outcome
from orchestration.families.retraining import News, Policy, decide, decision
from orchestration.families.settings import load_settings
from orchestration.families.timetable import Scheduled
from orchestration.graph.retraining import retrains, weekly_retraining
from orchestration.graph.sensors import opens_candidates
from orchestration.jobs.in_process import InProcess
from orchestration.report.state import retraining
from orchestration.runtime.settings import Settings
from tests.orchestration.drawn_round import opened
from tests.orchestration.paper_reviews import PaperReviews
from tests.orchestration.report.small_home import SmallHome, products_table
from tests.orchestration.toy_family import toy_family

POLICY = Policy(products=1000, alarms=2, window=3)


def judged(*alarms: bool) -> list[Outcome]:
    return [Outcome(f"d{number}", alarm, "differs in colour") for number, alarm in enumerate(alarms)]


@pytest.mark.parametrize(
    ("alarms", "retrain"),
    [
        ((), False),
        ((True,), False),
        ((True, True), True),
        ((True, False, True), True),
        ((True, True, False), False),  # it is over
        ((True, False, False, True), False),  # the first is out of the window
        ((False, True, True, True), True),
    ],
)
def test_k_of_the_last_n_and_the_newest(alarms: tuple[bool, ...], retrain: bool) -> None:
    decided = decide(POLICY, News(("d0",), 10, {DRIFT_CHECK: judged(*alarms)}))
    assert decided.retrain == retrain
    if retrain:
        assert decided.reason.startswith("drift in ") and "the newest: differs in colour" in decided.reason
    else:
        assert decided.reason.startswith("nothing to learn: 10 of 1000 new products, drift in ")


def test_enough_new_products_are_a_reason_and_zero_turns_it_off() -> None:
    news = News(("a", "b"), 1000)
    assert decide(POLICY, news).reason == "1000 new products in 2 drops, and 1000 are enough"
    assert not decide(POLICY, News(("a",), 999)).retrain
    assert not decide(Policy(0, 2, 3), news).retrain


def test_each_reason_is_told_and_what_is_busy_waits() -> None:
    news = News(("a",), 2000, {DRIFT_CHECK: judged(True, True)})
    assert decide(POLICY, news).reason.count("; ") == 1
    busy = decide(POLICY, News(news.drops, news.products, news.outcomes, "a training of toy runs already (run 1)"))
    assert not busy.retrain and busy.reason.endswith("; but a training of toy runs already (run 1)")


def test_a_window_narrower_than_its_alarms_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELVEDGE_RETRAIN_ALARMS", "4")
    with pytest.raises(SelvedgeError, match="SELVEDGE_RETRAIN_WINDOW cannot be '3': of 3 drops no 4 can differ"):
        load_settings(retrain_window="3")


class Watched(SmallHome):
    """A toy that learns from drops, with a sensor that watches them and one that opens candidates."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        super().__init__(folder)
        self.settings = Settings(home=self.settings.home, **{"retrain": True, "retrain_products": 30, **settings})
        self.reviews = PaperReviews(self.settings, None)
        home = self

        @dg.asset(key=["training", "toy_features"])
        def toy_features() -> dg.MaterializeResult:
            drops = home.instance.get_dynamic_partitions(DROPS.name or "")
            made = made_of(home.instance, home.tables, drops)
            return dg.MaterializeResult(metadata={"drops": drops, "made_of": made})

        @dg.asset(key=["inference", "toys"], partitions_def=DROPS)
        def toys() -> None: ...

        self.family: Family = replace(
            toy_family(),
            watch=lambda published: None,  # type: ignore[arg-type,return-value]
            open=lambda instance, settings, tables: self.opening(),
        )
        definitions = dg.Definitions(
            assets=[toy_features, toys],
            sensors=[
                retrains(self.family),
                opens_candidates("toy", self.family.prepared_by[-1], lambda i, s, t: self.opening()),
            ],
            resources={"tables": self.tables, "settings": self.settings, "reviews": self.reviews},
            executor=dg.in_process_executor,
        )
        self.graph = InProcess(definitions, self.instance)

    def opening(self) -> Opening:
        prepared = materialised(self.instance, "training/toy_features") or {}
        return Opening("toy", {"mean": 0.5}, json_sha256(prepared["made_of"]), {"drops": prepared["drops"]})

    def deliver(self, drop: str, products: int = 12, verdict: str | None = CALM) -> None:
        """A drop is read, and the monitor says something of it."""
        table = products_table(products, drop).assign(product_id=lambda rows: rows["product_id"] + 100 * int(drop[1:]))
        self.publish("catalog/products", table, drop)
        self.publish("catalog/images", table[["drop", "product_id"]], drop)
        self.instance.add_dynamic_partitions(DROPS.name or "", [drop])
        self.say("catalog/qa_pairs")
        self.say("registry/toy_champion", model="models:/toy/1", version=1)
        if verdict is None:
            return
        self.instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=dg.AssetKey(["inference", "toys"]), check_name=DRIFT_CHECK, passed=verdict != ALARM,
                metadata={"verdict": verdict, "model": "models:/toy/1"}, description=f"{drop} {verdict}",
                partition=drop,
            )
        )  # fmt: skip

    def candidates(self) -> list[str]:
        return list(self.instance.get_dynamic_partitions(candidate_partitions("toy").name or ""))

    def trained(self) -> None:
        """The newest candidate is trained."""
        self.say("training/toy_candidate", self.candidates()[-1], version=len(self.candidates()))

    def weekly(self, **changed: Any) -> tuple[bool, str]:
        """What the schedule would do, and why."""
        family = replace(self.family, **changed)
        made, _ = decision(family, self.instance, self.settings, self.tables, self.reviews.ledger(), anything=True)
        return made.retrain, made.reason

    def decided(self) -> str:
        return decision(self.family, self.instance, self.settings, self.tables, self.reviews.ledger())[0].reason


@pytest.fixture
def home(tmp_path: Path) -> Watched:
    """The first drop was learnt from by a candidate that a person asked for."""
    made = Watched(tmp_path)
    made.deliver("d0")
    made.graph.run(made.family.prepared_by)
    made.graph.settle()
    made.trained()
    return made


def test_drift_asks_for_one_training_whose_opening_says_why(home: Watched) -> None:
    (first,) = home.candidates()
    assert read_opening(home.tables, "toy", first).reason == ""
    home.deliver("d1", verdict=ALARM)
    assert home.graph.settle() == 0
    home.deliver("d2", products=5, verdict=ALARM)
    assert home.graph.settle() == 1
    second = home.candidates()[-1]
    assert second != first
    opening = read_opening(home.tables, "toy", second)
    assert opening.reason == "drift in 2 of the last 2 drops, d2 the newest: d2 differs"
    assert opening.fingerprint.startswith(second[-6:]), "the reason is no part of what a candidate is"


def test_an_alarm_that_was_learnt_from_asks_for_nothing_more_whatever_became_of_the_candidate(home: Watched) -> None:
    for drop in ("d1", "d2"):
        home.deliver(drop, products=5, verdict=ALARM)
    home.graph.settle()
    home.trained()  # and it loses: the champion is still the first
    assert home.graph.settle() == 0
    home.deliver("d3", products=5, verdict=ALARM)
    assert home.graph.settle() == 0, "one alarm among the drops that nobody learnt from"
    home.deliver("d4", products=5, verdict=UNJUDGED)
    assert home.graph.settle() == 0, "what cannot be judged is no alarm"
    home.deliver("d5", products=5, verdict=ALARM)
    assert home.graph.settle() == 1 and len(home.candidates()) == 3


def test_the_same_data_and_settings_are_asked_for_once(home: Watched) -> None:
    home.deliver("d1", products=30)
    assert home.graph.settle() == 1
    news = [run.tags[REASON_TAG] for run in home.instance.get_runs() if REASON_TAG in run.tags]
    assert news == ["30 new products in 1 drops, and 30 are enough"]
    home.trained()
    home.graph.run(home.family.prepared_by)  # prepared again by hand
    home.graph.settle()
    assert len(home.candidates()) == 2
    assert home.decided().startswith("nothing to learn: 0 of 30 new products")


def test_the_week_asks_for_anything_new_and_says_why_not(tmp_path: Path) -> None:
    home = Watched(tmp_path)
    assert home.weekly() == (False, "toy was never trained; but no drop was read to the end yet")
    home.deliver("d0")
    assert home.weekly() == (True, "toy was never trained")
    assert home.weekly(lacks=lambda *_: "too few bottoms.") == (False, "toy was never trained; but too few bottoms.")
    home.graph.run(home.family.prepared_by)
    assert home.weekly() == (True, "its settings changed since the last training")
    home.graph.settle()
    home.trained()
    assert home.weekly()[1] == (
        "nothing to learn: 0 new products, drift in 0 of 0 drops, quality in 0 of 0 drops, and its settings are those "
        "of the last training"
    )
    for number in range(1, 8):
        home.deliver(f"d{number}", products=1)
    came = "drops came or changed since the last training: d1, d2, d3, d4, d5 and 2 more"
    assert home.weekly() == (True, came) and home.decided().startswith("nothing to learn: 7 of 30 new products")
    assert home.weekly(learns_from_drops=False) == (True, "what toy learns from is collected anew")
    job, keys = home.graph._job(home.family.prepared_by), frozenset(home.family.prepared_by)
    run = home.instance.create_run_for_job(job, asset_selection=keys)
    assert home.weekly() == (False, f"{came}; but a training of toy runs already (run {run.run_id[:8]})")


def test_a_candidate_whose_failed_run_was_pruned_waits_for_nothing(home: Watched) -> None:
    home.deliver("d1", products=30)
    home.instance.add_dynamic_partitions(candidate_partitions("toy").name or "", ["toy-20200101-aaaaaa"])
    assert home.decided() == "30 new products in 1 drops, and 30 are enough"


def test_the_schedule_asks_with_its_reason_or_skips_with_one(tmp_path: Path) -> None:
    home = Watched(tmp_path)
    schedule = weekly_retraining(home.family, Scheduled("toy_retraining", "0 3 * * 0", True, "UTC", "Trains a toy."))
    (tmp_path / "dagster").mkdir()

    def tick() -> Any:  # the context of a schedule has an instance in files, and no other
        with (
            dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as kept,
            dg.build_schedule_context(
                instance=kept,
                resources={"settings": home.settings, "tables": home.tables, "reviews": home.reviews},
            ) as context,
        ):
            kept.report_runless_asset_event(dg.AssetMaterialization(["catalog", "qa_pairs"]))
            return schedule(context)

    assert tick().tags == {REASON_TAG: "toy was never trained"}
    home.family = replace(home.family, lacks=lambda *_: "too few.")
    schedule = weekly_retraining(home.family, Scheduled("toy_retraining", "0 3 * * 0", True, "UTC", "Trains a toy."))
    assert tick().skip_message == "toy was never trained; but too few."


def test_two_trainings_never_run_at_once(home: Watched) -> None:
    home.deliver("d1", products=30)
    job = home.graph._job(home.family.prepared_by)
    run = home.instance.create_run_for_job(job, asset_selection=frozenset(home.family.prepared_by))
    assert home.decided().endswith(f"but a training of toy runs already (run {run.run_id[:8]})")
    assert home.graph.settle() == 0
    home.instance.report_run_failed(run)
    opening = home.opening()
    waiting = replace(opening, settings={"mean": 0.9})
    candidate = name_candidate(home.instance, waiting)
    record_opening(home.tables, candidate, waiting)
    home.instance.add_dynamic_partitions(candidate_partitions("toy").name or "", [candidate])
    assert home.decided().endswith(f"but candidate {candidate} waits for its training")
    home.trained()
    opened(home.settings, project=1, round_id="toy-r1", family="toy", candidate=candidate, candidate_version="2",
           opponent="champion", opponent_version="1", items=40)  # fmt: skip
    assert home.decided().endswith("but people still vote in round toy-r1")
    home.reviews.ledger().close_round("toy-r1")
    assert home.graph.settle() == 1


def test_a_changed_drop_is_news_and_an_old_opening_is_read(home: Watched) -> None:
    home.deliver("d0", products=31, verdict=None)
    assert home.decided() == "31 new products in 1 drops, and 30 are enough"
    (first,) = home.candidates()
    file = home.tables.path("candidates/toy", first).with_suffix(".json")
    content = json.loads(file.read_text())
    del content["reason"]  # as a Selvedge before this one wrote it
    file.write_text(json.dumps(content))
    assert read_opening(home.tables, "toy", first).reason == ""


def test_a_training_that_was_prepared_by_an_older_selvedge_goes_by_the_names_of_its_drops(home: Watched) -> None:
    home.say("training/toy_features", drops=["d0"])
    assert home.decided().startswith("nothing to learn: 0 of 30 new products")
    home.deliver("d1", products=31)
    assert home.decided() == "31 new products in 1 drops, and 30 are enough"


def test_off_it_only_says_what_it_would_do(tmp_path: Path) -> None:
    home = Watched(tmp_path, retrain=False)
    assert home.decided() == "nothing to learn: 0 of 30 new products"  # never trained: nothing to train again
    home.deliver("d0")
    home.graph.run(home.family.prepared_by)
    home.graph.settle()
    home.trained()
    home.deliver("d1", products=40)
    assert home.graph.settle() == 0 and len(home.candidates()) == 1
    with dg.build_sensor_context(
        instance=home.instance, resources={"settings": home.settings, "tables": home.tables, "reviews": home.reviews}
    ) as context:
        tick = retrains(home.family).evaluate_tick(context)
    assert (
        tick.skip_message
        == "would train toy again: 40 new products in 1 drops, and 30 are enough; SELVEDGE_RETRAIN is off"
    )


def test_status_says_what_the_policy_would_do_and_what_hinders_it(home: Watched) -> None:
    home.deliver("d1", products=40)
    untrained = replace(home.family, name="never", prepared=("training/nothing",))
    decided = retraining(home.settings, home.instance, [home.family, untrained])
    said = decided["toy"]
    assert list(decided) == ["toy"] and (said["on"], said["retrain"]) == (True, True)
    assert (said["new_products"], said["new_drops"], said["alarms"]) == (
        40,
        1,
        {"drift": "0 of 1", "quality": "0 of 0"},
    )
    assert _retrained("toy", said) == ("retraining toy due (on): 40 new products in 1 drops, and 30 are enough")
    (home.settings.home / "toy.yaml").write_text("meen: 1\n")
    odd = home.settings.model_copy(update={"family_settings": {"toy": home.settings.home / "toy.yaml"}})
    said = retraining(odd, home.instance, [home.family])["toy"]
    assert not said["retrain"] and "meen" in said["reason"]


def test_a_family_that_learns_from_no_drops_is_left_alone() -> None:
    assert [family.name for family in FAMILIES if not family.learns_from_drops] == [
        "ad-ranker",
        "garment-segmenter",
    ]
