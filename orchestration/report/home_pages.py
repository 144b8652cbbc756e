"""The front door's pages of this home: what needs somebody, champions and their history, rounds, traces.

Belongs here: which facts stand on a page, in which order, and where each row leads. Not here: looking them up
(state.py, trace.py, the ledger), addresses and looks (inference/service/home_pages.py).

Nothing here changes a home: champions are read from the ledger, and what is half done is named, never completed.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from catalog.pages import sentence
from inference.service.home_pages import Cell, Section, Tone
from orchestration.families.contract import Family
from orchestration.runtime.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

    from labeling.review.ledger.ledger import Ledger
    from labeling.review.rounds.judging import Standing

NO_HOME = "This home is empty: selvedge demo or a first drop fills it."
NO_ROUNDS = "No round was opened yet; a candidate that passes its scores gets one."
NO_CHAMPIONS = "No candidate was promoted yet."


class HomePages:
    """One home's pages, read anew each time."""

    def __init__(self, settings: Settings, families: Sequence[Family]) -> None:
        self._settings, self._families = settings, families

    def today(self) -> list[Section]:
        """What needs somebody, then how the rest stands. Raises: as `HomeState` says."""
        from orchestration.report import state

        with _instance(self._settings) as instance:
            drops = [] if instance is None else state.drops(self._settings, instance)
            needs = [*self._services(), *self._open_rounds(), *self._amiss(instance, drops), *self._due(instance)]
            stands = [*self._champions(), *self._drops(drops), *self._schedules(instance)]
        return [
            Section("Needs you", needs, "Nothing. What stands below goes on by itself."),
            Section("As it stands", stands, NO_HOME),
        ]

    def champions(self) -> list[Section]:
        """Who is champion of every family, and every move of a champion, the newest first. Raises: as `HomeState`."""
        ledger = self._ledger()
        moves = [
            record
            for family in self._families
            for record in (ledger.promotions.history(family.name) if ledger else [])
            if record.outcome == "completed"
        ]
        moves.sort(key=lambda record: record.at, reverse=True)
        return [
            Section("Champions now", list(self._champions()), NO_CHAMPIONS),
            Section(
                "Every move",
                [
                    (
                        Cell(_moment(record.at)),
                        Cell(record.family, self._asset_of(record.family, "champion")),
                        Cell(
                            f"version {record.version}",
                            self._version(record.family, record.version),
                            note=f"after version {record.old_champion}" if record.old_champion else "the first",
                        ),
                        Cell(
                            record.kind.replace("_", " "),
                            note="rests on scripted annotators" if record.simulated else "",
                            tone="bad" if record.kind == "rollback" else "",
                        ),
                        Cell(record.who, note=" ".join(sentence(reason) for reason in record.reasons)),
                    )
                    for record in moves
                ],
                NO_CHAMPIONS,
                ("When", "Family", "Champion", "How", "By whom, and why"),
            ),
        ]

    def rounds(self) -> list[Section]:
        """Every round, the newest first. Raises: as `HomeState` says."""
        from labeling.review.rounds.judging import standing

        ledger = self._ledger()
        registered = sorted(ledger.rounds() if ledger else [], key=lambda round_: round_.opened_at, reverse=True)
        rows = [self._round(standing(ledger, round_.plan.round_id)) for round_ in registered if ledger]
        return [
            Section(
                "Rounds", rows, NO_ROUNDS, ("Opened", "Round", "Candidate against", "Ballots", "Preferred", "Verdict")
            )
        ]

    def trace(self, product: int, drop: str) -> Mapping[str, Any]:
        """The chain of a product, as `TraceFinder` says."""
        from orchestration.report.trace import traced_rows

        return traced_rows(self._settings, product, drop or None, self._families)

    def _services(self) -> Iterator[tuple[Cell, ...]]:
        from orchestration.runtime.services import links

        down = [link for link in links(self._settings) if link.state not in ("running", "elsewhere")]
        told = [link.name for link in down if not link.name.endswith("-proxy")]
        if told:
            yield (
                Cell("Services"),
                Cell(f"{', '.join(told)} not running", note="selvedge up starts them", tone="waits"),
            )

    def _open_rounds(self) -> Iterator[tuple[Cell, ...]]:
        from labeling.review.rounds.judging import standing

        ledger = self._ledger()
        for round_ in ledger.rounds() if ledger else []:
            if ledger is not None and round_.state == "open":
                now = standing(ledger, round_.plan.round_id)
                project = round_.project_id
                yield (
                    Cell("Round open"),
                    Cell(
                        f"{round_.plan.family}: {now.ballots['plain']} of {now.capacity} ballots",
                        self._project(project),
                        note=f"round {round_.plan.round_id}; {_pulled(now)}{_asked_again(now)}",
                        tone="waits",
                    ),
                )

    def _amiss(
        self, instance: "dg.DagsterInstance | None", drops: Sequence[Mapping[str, Any]]
    ) -> Iterator[tuple[Cell, ...]]:
        from orchestration.report import state

        for drop in drops:
            if drop["sentence"]:
                link = self._asset("catalog/products", drop["drop"])
                yield Cell(f"Drop {drop['state']}"), Cell(drop["drop"], link, drop["sentence"], "bad")
        if instance is not None:
            from orchestration.assets.failed_runs import failed_runs

            for run in state.unexplained(failed_runs(instance), drops):
                of = f" of {run['partition']}" if run["partition"] else ""
                link = f"{self._settings.dagster_uri}/runs/{run['run']}"
                yield Cell("Run failed"), Cell(f"{', '.join(run['assets'])}{of}", link, run["sentence"], "bad")
        warnings = state.ledger_warnings(self._settings)
        if instance is not None:
            warnings += state.catalogue_warnings(instance)
            warnings += state.candidates_without_a_round(instance, self._families)
        for warning in warnings:
            yield Cell("Look at"), Cell(warning, tone="waits")

    def _due(self, instance: "dg.DagsterInstance | None") -> Iterator[tuple[Cell, ...]]:
        from orchestration.report import state

        decided = {} if instance is None else state.retraining(self._settings, instance, self._families)
        for family, decision in decided.items():
            if decision["retrain"] and not decision["on"]:
                yield (
                    Cell("Retraining due"),
                    Cell(family, note=f"{decision['reason']} (SELVEDGE_RETRAIN is off)", tone="waits"),
                )

    def _champions(self) -> Iterator[tuple[Cell, ...]]:
        ledger = self._ledger()
        for family in self._families:
            record = ledger.promotions.champion(family.name) if ledger else None
            if record is not None:
                stamp = "; it rests on scripted annotators" if record.simulated else ""
                yield (
                    Cell(family.name),
                    Cell(
                        f"version {record.version}",
                        self._version(family.name, record.version),
                        note=f"since {_moment(record.at)}, by {record.who}{stamp}",
                        tone="good",
                    ),
                )

    def _drops(self, drops: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Cell, ...]]:
        read = [drop for drop in drops if drop["state"] == "read"]
        if read:
            products = sum(drop["products"] or 0 for drop in read)
            yield (
                Cell("Drops"),
                Cell(
                    f"{len(read)} read, {products:,} products",
                    self._asset("catalog/products"),
                    f"the newest: {read[-1]['drop']}",
                ),
            )

    def _schedules(self, instance: "dg.DagsterInstance | None") -> Iterator[tuple[Cell, ...]]:
        from orchestration.report import state

        planned = [entry for entry in state.schedules(self._settings, self._families, instance) if entry["next"]]
        for entry in sorted(planned, key=lambda entry: datetime.fromisoformat(entry["next"]).timestamp()):
            when = datetime.fromisoformat(entry["next"])
            yield (
                Cell(f"{when:%a %d %b %H:%M}", tone="soft"),
                Cell(entry["schedule"], f"{self._settings.dagster_uri}/automation", entry["what"]),
            )

    def _round(self, now: "Standing") -> tuple[Cell, ...]:
        plan, judged, verdict = now.round.plan, now.judgement, now.verdict
        outcome = verdict.outcome if verdict else now.round.state
        tone: Tone = "waits" if outcome == "open" else "good" if outcome == "preferred" else ""
        shares = f"{judged.effective_low:.0%} to {judged.effective_high:.0%}"
        return (
            Cell(_moment(now.round.opened_at)),
            Cell(plan.round_id, self._project(now.round.project_id), plan.kind.replace("_", " ")),
            Cell(
                plan.candidate,
                self._asset_of(plan.family, "verdict", plan.candidate),
                f"against {plan.opponent} {plan.opponent_version}",
            ),
            Cell(str(now.ballots["plain"]), note=f"of {now.capacity}"),
            Cell("–" if now.share is None else f"{now.share:.0%}", note="" if now.share is None else shares),
            Cell(
                outcome.replace("_", " "),
                note="; ".join(
                    part for part in (now.round.void or "", "scripted annotators" if now.simulated else "") if part
                ),
                tone=tone,
            ),
        )

    def _ledger(self) -> "Ledger | None":
        """The ledger; None where this home has none, as asking would make one. Raises: SelvedgeError: it is lost."""
        from orchestration.registry.ledger import open_ledger
        from orchestration.report.state import has_ledger

        return open_ledger(self._settings) if has_ledger(self._settings) else None

    def _project(self, project: int | None) -> str:
        where = self._settings.label_studio_uri
        return f"{where}/projects/{project}/data?labeling=1" if where and project is not None else ""

    def _version(self, family: str, version: str) -> str:
        return f"{self._settings.mlflow_uri}/#/models/{family}/versions/{version}"

    def _asset(self, name: str, partition: str | None = None) -> str:
        from orchestration.report.hops import asset_page

        return asset_page(self._settings, name, partition)

    def _asset_of(self, family: str, name: Literal["champion", "verdict"], partition: str | None = None) -> str:
        """The page of a family's asset; "" for a family that this Selvedge lacks, whose history stays."""
        installed = next((entry for entry in self._families if entry.name == family), None)
        key: dg.AssetKey | None = getattr(installed, name, None)
        return "" if key is None else self._asset("/".join(key.path), partition)


@contextmanager
def _instance(settings: Settings) -> "Iterator[dg.DagsterInstance | None]":
    """The home's instance; None where nothing was begun, as opening would make one."""
    if not (settings.dagster_home / "dagster.yaml").is_file():
        yield None
        return
    from orchestration.runtime.instance import open_instance

    with open_instance(settings) as instance:
        yield instance


def _moment(at: datetime) -> str:
    return f"{at.astimezone():%d %b %Y, %H:%M}"


def _asked_again(now: "Standing") -> str:
    ballots = now.asked_again.ballots
    return f"; {ballots} ballots of who is left out are asked again" if ballots else ""


def _pulled(now: "Standing") -> str:
    return f"the pull of {_moment(datetime.fromisoformat(now.pulled))}" if now.pulled else "no pull yet"
