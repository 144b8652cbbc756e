"""The demo: the whole lifecycle once, in this process, on a drawn or a real catalogue; then its report.

Belongs here: the order of the jobs, and what a rerun may leave out. Not here: any step (they are the assets that the
daemon runs, too), services (services.py), the page (report/).

It is the same graph on the same SQLite instance as `selvedge up` shows. A first drop is read and trained on, what
follows follows by itself up to a blind round, in which scripted annotators vote on a real Label Studio; then a second,
smaller drop arrives and is published by the champion without anybody asking. Run again, it finds everything up to date;
run again after a kill, it goes on where it was.
"""

import re
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from catalog.delivery import fingerprint
from catalog.errors import SelvedgeError
from orchestration.assets.candidates import name_candidate
from orchestration.assets.dataset import made_of
from orchestration.assets.partitions import candidate_partitions, valid_key
from orchestration.assets.published import Tables, materialised
from orchestration.defs.catalog.deliveries import add_drop
from orchestration.families import FAMILIES
from orchestration.families.contract import Family
from orchestration.graph.build import build_defs
from orchestration.jobs.backfill import plan_backfill
from orchestration.jobs.backfill_runs import run_backfill
from orchestration.jobs.in_process import InProcess, keys
from orchestration.runtime.folders import new_folder
from orchestration.runtime.home import held
from orchestration.runtime.instance import open_instance
from orchestration.runtime.recovery import recover
from orchestration.runtime.settings import LOCAL, OFF, Settings

if TYPE_CHECKING:
    from training.reporting import Reporter

READ = keys("catalog/products", "catalog/quarantine")
FIRST_ID, NEW_FIRST_ID = 10001, 60001
PRODUCTS_A_PAIR = 30  # a tenth of the products are test products; a round shows a third of those
COSTS = (
    "the demo takes about 20 minutes on two cores for 3,600 products, 2.9 GB of memory and 1.5 GB of disk; one "
    "that was stopped goes on where it was"
)
FRESH_SEED = 1000  # added to the seed of the second drop: other garments, not more of the same draw


@dataclass(frozen=True)
class DemoDrop:
    """One delivery of the demo."""

    drop: str
    source: Path


def run_demo(
    settings: Settings,
    catalog: Path | None = None,
    faults: bool | None = False,
    reporter: "Reporter | None" = None,
    families: Sequence[Family] = FAMILIES,
) -> dict[str, Any]:
    """From a catalogue to published descriptions and a report.

    Args:
        catalog: a catalogue in the Kaggle layout; drawn when None.
        faults: plant faults in the first drawn drop, so that the report has a quarantine to show; None plants them
            unless the home has its drop without them already.
        reporter: receives the progress of long steps.
        families: the declarations to build; tests put other gate rules here.

    Returns:
        report, home, products, peak_rss_bytes; of the first family round_report (None when no round was judged) and
        champion (None when no candidate passed its gates); champions and round_reports of all families by name.

    Raises:
        SelvedgeError: a step failed; run again after mending what the sentence names.
    """
    from orchestration.report import write_report
    from orchestration.runtime.services import review_server, tracking_server
    from training.reporting import Silent

    settings = profile_of(home_of(settings, catalog), catalog)
    say(COSTS)
    with held(settings, "selvedge demo"), open_instance(settings) as instance:
        recover(instance, say)
        drops = deliveries(settings, catalog, faults, reporter)
        definitions = build_defs(settings, families, {"progress": reporter or Silent()})
        reviewed = (
            settings if any(family.review for family in families) else settings.model_copy(update={"label_studio": OFF})
        )
        with tracking_server(settings, say), review_server(reviewed, say):
            graph = InProcess(definitions, instance, say)
            steps = Steps(2 + 2 * len(families) + len(drops[1:]))
            for family in families:
                steps.begin(f"{family.name} learns from {drops[0].drop} and is scored")
                learn(graph, settings, drops[0], family)
                steps.begin(f"{family.name} is judged in a blind round")
                let_annotators_vote(graph, settings, family, reporter)
            for drop in drops[1:]:
                steps.begin(f"drop {drop.drop} arrives and is published")
                if materialised(instance, "catalog/products", drop.drop) is None:
                    say(f"a new drop arrives: {drop.drop}")
                read(graph, settings, drop)
            steps.begin("what is older than its champion is published again")
            refresh(graph, [drop.drop for drop in drops], settings)
            steps.begin("the report is written")
            page, memory = settings.home / "report.html", peak_rss() / 2**30
            # While MLflow answers: the weights behind the sentences are hashed again for the page.
            report = write_report(instance, settings, families, page, graph.seconds, memory)
        champions = {family.name: _champion(graph, family) for family in families}
        pages = {family.name: _round_report(instance, family) for family in families}
        return {
            "report": str(report),
            "round_report": pages[families[0].name],
            "home": str(settings.home),
            "champion": champions[families[0].name],
            "champions": champions,
            "round_reports": pages,
            "products": sum(_described(instance, drop.drop) for drop in drops),
            "peak_rss_bytes": peak_rss(),
        }


class Steps:
    """Says which step of how many begins, and how long the demo runs so far."""

    def __init__(self, total: int) -> None:
        self._total, self._begun, self._began = total, 0, time.monotonic()

    def begin(self, what: str) -> None:
        self._begun += 1
        minutes = (time.monotonic() - self._began) / 60
        say(f"step {self._begun} of {self._total}: {what} ({minutes:.0f} min so far)")


def home_of(settings: Settings, catalog: Path | None) -> Settings:
    """The settings themselves, or, for a real catalogue and unless somebody chose the home, one of its own.

    Photographs and drawings in one home would become one training set.
    """
    if catalog is None or "home" in settings.model_fields_set:
        return settings
    home = settings.home.with_name(f"{settings.home.name}-{drop_name(catalog)}")
    return settings.model_copy(update={"home": home.resolve()})


def profile_of(settings: Settings, catalog: Path | None) -> Settings:
    """The demo's own rules: scripted annotators' ballots may promote, and a small drawn catalogue has a small round."""
    changed: dict[str, Any] = {"simulated_ballots": True}
    if catalog is None and "review_items" not in settings.model_fields_set:
        changed["review_items"] = max(1, min(settings.review_items, settings.demo_products // PRODUCTS_A_PAIR))
    return settings.model_copy(update=changed)


def deliveries(
    settings: Settings, catalog: Path | None, faults: bool | None, reporter: "Reporter | None"
) -> list[DemoDrop]:
    """The demo's drops: a real catalogue, in which nothing is planted, or two drawn ones.

    Raises:
        SelvedgeError: the catalogue is missing.
    """
    if catalog is not None:
        source = catalog.expanduser().resolve()
        if not (source / "styles.csv").is_file():
            raise SelvedgeError(f"{source / 'styles.csv'} does not exist; CATALOG names a folder in the Kaggle layout.")
        return [DemoDrop(drop_name(source), source)]
    seed = settings.demo_seed
    if faults is None:  # a home of an older Selvedge has learnt from its drop as it is
        faults = not _folder(settings, "drawn-1", settings.demo_products, seed, False).exists()
    return [
        _drawn(settings, "drawn-1", settings.demo_products, seed, FIRST_ID, faults, reporter),
        _drawn(settings, "drawn-2", settings.demo_new_products, seed + FRESH_SEED, NEW_FIRST_ID, False, reporter),
    ]


def drop_name(catalog: Path) -> str:
    """A drop's name for a folder.

    Raises:
        SelvedgeError: nothing of the folder's name can be used.
    """
    return valid_key(re.sub(r"[^A-Za-z0-9_-]+", "-", catalog.expanduser().resolve().name).strip("-_")[:60])


def learn(graph: InProcess, settings: Settings, drop: DemoDrop, family: Family) -> None:
    """Read the first drop; prepare training unless a candidate of these settings knows it; let the rest follow."""
    read(graph, settings, drop)
    tables = Tables(root=str(settings.tables()))
    lacking = family.lacks(graph.instance, settings, tables) if family.lacks else ""
    if lacking:
        say(f"{family.name} is left out: {lacking}")
        return
    if not _known(graph, settings, drop.drop, family):
        graph.run(family.prepared_by)
    graph.settle()


def let_annotators_vote(
    graph: InProcess, settings: Settings, family: Family, reporter: "Reporter | None" = None
) -> None:
    """Scripted annotators work through every open round of the family's candidates; then whatever follows.

    With a Label Studio of a team nobody is simulated there: the round stays open for its people.
    """
    if family.review is None:
        return
    if settings.label_studio != LOCAL:
        say("the round is open; nobody is simulated in a Label Studio of yours: vote, and run again.")
        return
    from labeling.review.rounds.progress import silent
    from labeling.review.rounds.scripted import demo_annotators, vote
    from orchestration.registry.ledger import open_ledger
    from orchestration.runtime.label_studio import account_of, connect

    ledger = open_ledger(settings)
    candidates = graph.instance.get_dynamic_partitions(candidate_partitions(family.name).name or "")
    for round_ in ledger.rounds(family.name):
        if round_.state == "open" and round_.project_id is not None and round_.plan.candidate in candidates:
            annotators = demo_annotators(settings.demo_seed)
            say(f"{len(annotators)} scripted annotators vote in round {round_.plan.round_id}")
            sign_in = partial(account_of, settings, connect(settings))
            report_progress = reporter.progress if reporter else silent
            # The pairs of whoever is left out are asked again once the graph has pulled the votes.
            while (
                ledger.round(round_.plan.round_id).state == "open"
                and vote(sign_in, ledger, round_.plan.round_id, annotators, progress=report_progress).total
            ):
                graph.settle()
    graph.settle()


def read(graph: InProcess, settings: Settings, drop: DemoDrop) -> None:
    """Read a drop when its files or the reading code changed, and let the catalogue follow."""
    add_drop(graph.instance, settings, drop.drop, str(drop.source))
    before = materialised(graph.instance, "catalog/products", drop.drop) or {}
    source = Tables(root=str(settings.tables())).standing(str(before.get("source", "")))
    changed = before.get("source_fingerprint") != fingerprint(str(drop.source)) or source != str(drop.source)
    if changed or graph.stale("catalog/products", drop.drop) or graph.stale("catalog/quarantine", drop.drop):
        graph.run(READ, drop.drop)
    graph.settle()
    # What a kill left between two tables is no news to the conditions: they see updates, not age.
    for name, partition in (("catalog/images", drop.drop), ("catalog/splits", None), ("catalog/qa_pairs", None)):
        if graph.stale(name, partition):
            graph.run(keys(name), partition)
    graph.settle()


def refresh(graph: InProcess, drops: list[str], settings: Settings) -> None:
    """Publish again what an older champion, older products or another writer made; says first what that costs."""
    backfill = plan_backfill(graph, drops)
    if backfill.drops:
        say(backfill.sentence())
        failed = run_backfill(graph, backfill).failed
        if failed:
            raise SelvedgeError(next(iter(failed.values())))
    for drop in drops:
        published = materialised(graph.instance, "inference/descriptions", drop)
        if published is not None and published["writer"] != settings.writer:
            graph.run(keys("inference/descriptions"), drop)


def say(line: str) -> None:
    """One line of progress for a person."""
    print(line, file=sys.stderr, flush=True)


def peak_rss() -> int:
    """Bytes of the largest process so far: this one or one it started."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    kilobytes = max(resource.getrusage(scope).ru_maxrss for scope in who)
    return kilobytes * (1 if sys.platform == "darwin" else 1024)


def _known(graph: InProcess, settings: Settings, drop: str, family: Family) -> bool:
    """Is there a candidate, finished or not, for the present settings and the first drop as it stands?

    Not asked of Dagster's own staleness: the second drop changed the splits since, and that is no reason to train.
    """
    prepared = materialised(graph.instance, "/".join(family.prepared_by[-1].path))
    tables = Tables(root=str(settings.tables()))
    if prepared is None or drop not in prepared["drops"]:
        return False
    if prepared["made_of"] != made_of(graph.instance, tables, prepared["drops"]):
        return False
    candidate = name_candidate(graph.instance, family.open(graph.instance, settings, tables))
    return candidate in graph.instance.get_dynamic_partitions(candidate_partitions(family.name).name or "")


def _drawn(
    settings: Settings, drop: str, products: int, seed: int, first_id: int, faults: bool, reporter: "Reporter | None"
) -> DemoDrop:
    from catalog.drawn import draw_catalogue

    folder = _folder(settings, drop, products, seed, faults)
    if not folder.exists():
        say(f"drawing {products} products")
        progress: Callable[[int, int, str], None] | None = reporter.progress if reporter else None
        with new_folder(folder) as part:
            draw_catalogue(part, products, seed, first_id=first_id, faults=faults, progress=progress)
    return DemoDrop(drop, folder)


def _folder(settings: Settings, drop: str, products: int, seed: int, faults: bool) -> Path:
    """Where a drawn drop lies; its name says what it was drawn from."""
    from catalog.drawn import VERSION

    name = f"{drop}-v{VERSION}-seed{seed}-{products}{'-faults' if faults else ''}"
    return settings.home / "drawn" / name


def _champion(graph: InProcess, family: Family) -> str | None:
    """The family's champion; says so where a candidate came to nothing."""
    promoted = materialised(graph.instance, "/".join(family.champion.path))
    tried = graph.instance.get_dynamic_partitions(candidate_partitions(family.name).name or "")
    if promoted is None and tried:
        say(f"no candidate of {family.name} passed its gate; the report says why, and nothing was published.")
    return str(promoted["model"]) if promoted else None


def _round_report(instance: dg.DagsterInstance, family: Family) -> str | None:
    verdict = materialised(instance, "/".join(family.verdict.path))
    return str(verdict["report"]) if verdict else None


def _described(instance: dg.DagsterInstance, drop: str) -> int:
    return int((materialised(instance, "inference/descriptions", drop) or {}).get("rows", 0))
