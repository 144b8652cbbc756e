"""Running the graph inside one process: jobs in order, then whatever follows, until nothing is requested.

Belongs here: executing asset selections on a real instance, what is up to date, and the small loop over sensors and
automation conditions. Not here: which jobs (demo.py), the daemon's way (`selvedge up`).

A run costs 0.2 to 0.5 s here where the daemon takes 5 to 10 s; the definitions, conditions and sensors are the same.
"""

import functools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from catalog.errors import SelvedgeError
from orchestration.assets.failures import SENTENCE_TAG, STOPPED_TAG
from orchestration.runtime.dagster_private import runs_of_location, staleness
from orchestration.runtime.recovery import owner_tags
from orchestration.runtime.reserve import keep_reserve_of
from orchestration.runtime.services import DEFINITIONS, Progress

Request = tuple[list[dg.AssetKey], str | None, Mapping[str, str]]  # what to materialise, of which partition, tags
RUNNING = dg.DefaultSensorStatus.RUNNING
PARTITION_SET_QUERIES = ("get_dynamic_partitions", "has_dynamic_partition")
OWN_TAGS = "selvedge/"  # how tags begin that a sensor of ours gives a run; Dagster adds its own
DAGSTERS_OWN = "__"  # how the names of jobs begin that Dagster makes for sensors
ROUNDS = 50  # far more than the graph is deep; reached only when two assets request each other for ever


@dataclass
class InProcess:
    """The definitions on an instance; keeps what the automation conditions have seen."""

    definitions: dg.Definitions
    instance: dg.DagsterInstance
    progress: Progress = lambda _line: None
    seconds: dict[str, float] = field(default_factory=dict)  # asset → wall seconds of its runs

    def __post_init__(self) -> None:
        self._graph = self.definitions.resolve_asset_graph()
        self._repository = self.definitions.get_repository_def()
        self._every = self.definitions.resolve_implicit_global_asset_job_def()
        self._jobs = [job for job in self._repository.get_all_jobs() if not job.name.startswith(DAGSTERS_OWN)]
        self._resources = dict(self.definitions.resources or {})
        self._condition_cursors: dict[str, Any] = {}
        self._sensor_cursors: dict[str, str | None] = {}
        self._run_keys: set[tuple[str, str]] = set()

    def run(
        self,
        keys: Iterable[dg.AssetKey],
        partition: str | None = None,
        run_config: dict[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Materialise assets, with their checks, in one run.

        Raises:
            SelvedgeError: a step or a blocking check failed; the sentence is the step's own. Or the disk is full.
            KeyboardInterrupt: the work was asked to stop; it goes on from there next time.
        """
        keep_reserve_of(self.instance)
        selection = sorted(keys)
        names = ", ".join(key.to_user_string() for key in selection)
        self.progress(f"{names}{f' [{partition}]' if partition else ''}")
        began = time.monotonic()
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        with runs_of_location(self.instance, DEFINITIONS, self._repository.name):
            result = self._job(selection).execute_in_process(
                instance=self.instance,
                asset_selection=selection,
                partition_key=partition,
                run_config={**quiet, **(run_config or {})},
                tags={**(tags or {}), **owner_tags(), "dagster/max_retries": "0"},
                raise_on_error=False,
            )
        self.seconds[names] = self.seconds.get(names, 0.0) + time.monotonic() - began
        if not result.success:
            raise failure_of(self.instance, result, names)

    def _job(self, selection: Sequence[dg.AssetKey]) -> dg.JobDefinition:
        """The job by whose name a run of these assets is found in Dagster's pages; where there is none, that of all."""
        wanted = set(selection)
        return next((job for job in self._jobs if wanted <= set(job.asset_layer.executable_asset_keys)), self._every)

    def settle(self) -> int:
        """Evaluate sensors and automation conditions until nothing is requested; how many runs followed."""
        runs = 0
        for _ in range(ROUNDS):
            requested = self._tick()
            if not requested:
                return runs
            for keys, partition, tags in requested:
                self.run(keys, partition, tags=tags)
                runs += 1
        raise SelvedgeError(f"the graph still asks for runs after {ROUNDS} rounds; two assets request each other.")

    def _tick(self) -> list[Request]:
        """Ordinary sensors first: they may add partitions that conditions then see."""
        sensors = self._repository.sensor_defs
        automation = [sensor for sensor in sensors if isinstance(sensor, dg.AutomationConditionSensorDefinition)]
        ordinary = [sensor for sensor in sensors if sensor not in automation and sensor.default_status == RUNNING]
        requested = [request for sensor in ordinary for request in self._sensor(sensor)]
        return requested + [request for sensor in automation for request in self._conditions(sensor)]

    def stale(self, name: str, partition: str | None = None) -> bool:
        """Is `stage/name` missing, or made by other code or from other inputs than there are now?"""
        return self.staleness()(dg.AssetKey(name.split("/")), partition)

    def staleness(self) -> Callable[[dg.AssetKey, str | None], bool]:
        """The same of many assets, as they stand when each is first asked for."""
        return staleness(self.instance, self._graph)

    def _conditions(self, sensor: dg.AutomationConditionSensorDefinition) -> list[Request]:
        """One tick of an automation sensor: what the daemon does with it, less the writing down of evaluations."""
        with _partition_sets_read_once(self.instance):
            evaluated = dg.evaluate_automation_conditions(
                self.definitions,
                self.instance,
                asset_selection=sensor.asset_selection,
                cursor=self._condition_cursors.get(sensor.name),
            )
        self._condition_cursors[sensor.name] = evaluated.cursor
        # One run for each key of a partition set, as the daemon groups them.
        runs: dict[tuple[dg.PartitionsDefinition | None, str | None], list[dg.AssetKey]] = {}
        for key in self._graph.toposorted_asset_keys:
            for partition in sorted(evaluated.get_requested_partitions(key), key=str):
                runs.setdefault((self._graph.get(key).partitions_def, partition), []).append(key)
        return [(selection, partition, {}) for (_, partition), selection in runs.items()]

    def _sensor(self, sensor: dg.SensorDefinition) -> list[Request]:
        """One tick of an ordinary sensor."""
        needed = {name: self._resources[name] for name in sensor.required_resource_keys}
        with (
            dg.partition_loading_context(dynamic_partitions_store=self.instance),
            dg.build_sensor_context(
                instance=self.instance,
                repository_def=self._repository,
                resources=needed,
                cursor=self._sensor_cursors.get(sensor.name),
            ) as context,
        ):
            tick = sensor.evaluate_tick(context)
        self._sensor_cursors[sensor.name] = tick.cursor
        for added in tick.dynamic_partitions_requests or ():
            self.instance.add_dynamic_partitions(added.partitions_def_name, list(added.partition_keys))
        runs: list[Request] = []
        for request in tick.run_requests or ():
            # The daemon, too, takes a run key once only.
            if request.run_key is None or (sensor.name, request.run_key) not in self._run_keys:
                self._run_keys.add((sensor.name, request.run_key or ""))
                own = {name: value for name, value in request.tags.items() if name.startswith(OWN_TAGS)}
                runs.append((list(request.asset_selection or ()), request.partition_key, own))
        return runs


@contextmanager
def _partition_sets_read_once(instance: dg.DagsterInstance) -> Iterator[None]:
    """Answers for a dynamic partition set come from memory: nothing is added to one while conditions are evaluated.

    Dagster's evaluation asks the database again for each part of each condition; an idle tick took three times as long.
    """
    for name in PARTITION_SET_QUERIES:
        setattr(instance, name, functools.cache(getattr(instance, name)))
    try:
        yield
    finally:
        for name in PARTITION_SET_QUERIES:
            delattr(instance, name)


def failure_of(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult, what: str) -> BaseException:
    """Why a run failed: in the words of the step that did, or as the defect of the program that it is."""
    run = instance.get_run_by_id(result.run_id)
    if run is not None and (STOPPED_TAG in run.tags or run.status == dg.DagsterRunStatus.CANCELED):
        return KeyboardInterrupt()
    if run is not None and SENTENCE_TAG in run.tags:
        return SelvedgeError(run.tags[SENTENCE_TAG])
    failed = [check for check in result.get_asset_check_evaluations() if check.blocking and not check.passed]
    if failed:
        return SelvedgeError("; ".join(_check_sentence(check) for check in failed))
    errors = [event.step_failure_data.error for event in result.all_events if event.is_step_failure]
    return RuntimeError("\n".join([f"{what} failed", *(error.to_string() for error in errors if error)]))


def _check_sentence(check: dg.AssetCheckEvaluation) -> str:
    where = f"{check.asset_key.to_user_string()}{f' of {check.partition}' if check.partition else ''}"
    return f"check {check.check_name} of {where} failed: {check.description or 'see its metadata'}"


def keys(*names: str) -> Sequence[dg.AssetKey]:
    """Asset keys of `stage/name`s."""
    return [dg.AssetKey(name.split("/")) for name in names]
