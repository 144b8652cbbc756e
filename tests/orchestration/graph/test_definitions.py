"""The definitions as a whole: what they are (a snapshot), what they may import, what every edge must say."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from syrupy.assertion import SnapshotAssertion

from catalog.errors import SelvedgeError
from orchestration.assets.published import COSTS_POOL, GPU_POOL, SPLITS_POOL
from orchestration.families import FAMILIES
from orchestration.families.contract import asset_key, families_by_name
from orchestration.families.monitors import MONITORS
from orchestration.graph.build import build_defs
from orchestration.runtime.settings import Settings

HEAVY = (
    "torch",
    "transformers",
    "peft",
    "mlflow",
    "great_expectations",
    "dagster_aws",
    "boto3",
    "skia",
    "pandas",
    "scipy",
    "label_studio_sdk",
    "httpx",
)
# They look at what stands, on a schedule: nothing is made from what they judge, so there is nothing to hold up.
STANDING = {"no_partition_left_failed", "newest_drop_is_published", "still_good"}
# The bare import of dagster itself takes about half of it; on a busy machine both grow alike.
IMPORT_SECONDS = 3.0
TIMES_DAGSTER = 2.5


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    return build_defs(Settings(home=tmp_path_factory.mktemp("home")))


def test_all_that_an_operator_sees_in_dagster_says_what_it_is(definitions: dg.Definitions) -> None:
    repository, graph = definitions.get_repository_def(), definitions.resolve_asset_graph()
    jobs = [job for job in repository.get_all_jobs() if not job.name.startswith("__")]
    described = {each.name: each.description for each in (*jobs, *repository.sensor_defs, *repository.schedule_defs)}
    described |= {spec.key.to_user_string(): spec.description for spec in definitions.resolve_all_asset_specs()}
    described |= {key.to_user_string(): graph.get_check_spec(key).description for key in graph.asset_check_keys}
    assert {name: text for name, text in described.items() if len(str(text or "").split()) < 4} == {}
    assert all(spec.owners and spec.group_name == spec.key.path[0] for spec in definitions.resolve_all_asset_specs())


def test_the_graph_is_the_one_that_was_reviewed(definitions: dg.Definitions, snapshot: SnapshotAssertion) -> None:
    assert json.dumps(described(definitions), indent=1, sort_keys=True) == snapshot


@pytest.mark.parametrize(
    ("resource", "chosen"), [("tables", "root"), ("io_manager", "base_dir"), ("models", "settings")]
)
def test_where_things_lie_is_no_run_configuration(definitions: dg.Definitions, resource: str, chosen: str) -> None:
    jobs = [*definitions.resolve_all_job_defs(), definitions.resolve_implicit_global_asset_job_def()]
    for job in jobs:
        resources = job.run_config_schema.config_type.fields["resources"].config_type.fields
        if resource in resources:
            fields = getattr(resources[resource].config_type.fields["config"].config_type, "fields", {})
            assert not fields, f"a run of {job.name} may choose {', '.join(fields)} of {resource}"
    if resource != "io_manager":
        with pytest.raises(dg.DagsterInvalidConfigError, match=chosen):
            dg.validate_run_config(jobs[-1], {"resources": {resource: {"config": {chosen: "/elsewhere"}}}})


def test_every_edge_of_a_partitioned_asset_states_its_mapping(definitions: dg.Definitions) -> None:
    partitioned = {spec.key: spec.partitions_def is not None for spec in definitions.resolve_all_asset_specs()}
    edges = 0
    for spec in definitions.resolve_all_asset_specs():
        for dep in spec.deps:
            if partitioned[spec.key] or partitioned[dep.asset_key]:
                edges += 1
                assert dep.partition_mapping is not None, f"{spec.key} → {dep.asset_key} leaves its mapping to Dagster"
    assert edges > 10


def test_every_dependency_is_an_asset_of_the_graph(definitions: dg.Definitions) -> None:
    specs = list(definitions.resolve_all_asset_specs())
    known = {spec.key for spec in specs}
    assert {dep.asset_key for spec in specs for dep in spec.deps} <= known


def test_checks_of_partitioned_assets_are_partitioned_and_block_unless_they_only_watch(
    definitions: dg.Definitions,
) -> None:
    graph = definitions.resolve_asset_graph()
    standing = {key for key in graph.asset_check_keys if key.name in STANDING}
    assert len(standing) == len(STANDING) - 1 + len(FAMILIES)
    for key in standing:
        assert not graph.get_check_spec(key).blocking and graph.get(key.asset_key).partitions_def is None, key
    for key in set(graph.asset_check_keys) - standing:
        check = graph.get_check_spec(key)
        assert check.blocking == (key.name not in MONITORS), f"{key} blocks or does not, as it should not"
        assert check.partitions_def == graph.get(key.asset_key).partitions_def, (
            f"{key} is not partitioned like its asset"
        )


def test_inference_depends_on_the_champion_and_never_on_a_promotion(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    family = families_by_name(FAMILIES)["blip2-attributes"]
    assert family.champion in graph.get(asset_key(family.publishes)).parent_keys
    for key in graph.get(family.promotion).child_keys:
        assert key == family.champion


def test_the_pools_that_the_doctor_knows_are_those_that_assets_use(definitions: dg.Definitions) -> None:
    used = {pool for node in definitions.resolve_asset_graph().asset_nodes for pool in (node.pools or ())}
    assert used == {COSTS_POOL, GPU_POOL, SPLITS_POOL}


def test_each_family_has_a_partition_set_of_its_own(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for family in FAMILIES:
        for key in (family.candidate, family.scores, family.promotion):
            assert graph.get(key).partitions_def == dg.DynamicPartitionsDefinition(name=f"{family.name}-candidate")


def test_dagsters_own_freshness_goes_by_how_often_drops_come(definitions: dg.Definitions, tmp_path: Path) -> None:
    weekly = build_defs(Settings(home=tmp_path, drop_every_days=7, fresh_hours=12), families=[])
    dated = build_defs(Settings(home=tmp_path, drop_every_days=7, fresh_hours=12)).resolve_asset_graph()
    assert not any(definitions.resolve_asset_graph().get(key).freshness_policy for key in dated.get_all_asset_keys())
    with_policy = {key for key in dated.get_all_asset_keys() if dated.get(key).freshness_policy}
    assert with_policy == {
        key for key in dated.get_all_asset_keys() if key.path[0] == "inference" and dated.get(key).partitions_def
    }
    policy = dated.get(asset_key("inference/descriptions")).freshness_policy
    assert isinstance(policy, dg.FreshnessPolicy) and policy.fail_window.to_timedelta() == timedelta(days=7, hours=12)
    assert len(weekly.get_repository_def().schedule_defs) == 2, "what is no family's"


def test_two_families_of_one_name_are_refused() -> None:
    with pytest.raises(SelvedgeError, match="two families carry one name"):
        families_by_name([*FAMILIES, *FAMILIES])


def test_every_automation_sensor_runs_and_every_conditioned_asset_has_one(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    sensors = [
        s for s in definitions.get_repository_def().sensor_defs if isinstance(s, dg.AutomationConditionSensorDefinition)
    ]
    assert {sensor.name for sensor in sensors} == {"cpu_automation", "gpu_automation"}
    targets = [sensor.asset_selection.resolve(graph) for sensor in sensors]
    assert not targets[0] & targets[1]
    conditioned = {key for key in graph.materializable_asset_keys if graph.get(key).automation_condition is not None}
    assert conditioned <= targets[0] | targets[1]
    for sensor in definitions.get_repository_def().sensor_defs:
        assert sensor.default_status == dg.DefaultSensorStatus.RUNNING, f"{sensor.name} waits for somebody to start it"


@pytest.mark.parametrize("storage", ["", "s3://shop/selvedge"])
def test_the_code_location_imports_nothing_heavy(tmp_path: Path, storage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELVEDGE_STORAGE", storage)
    program = f"import orchestration.definitions as d, sys; d.defs(); print([m for m in {HEAVY!r} if m in sys.modules])"
    assert in_a_new_process(program, tmp_path) == "[]"


def test_the_code_location_loads_quickly(tmp_path: Path) -> None:
    location = min(seconds("import orchestration.definitions as d; d.defs()", tmp_path) for _ in range(2))
    dagster = min(seconds("import dagster", tmp_path) for _ in range(2))
    assert location < max(IMPORT_SECONDS, TIMES_DAGSTER * dagster)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["list", "defs", "--json"], "inference/descriptions"),
        (["check", "defs"], "All definitions loaded successfully"),
    ],
)
def test_dagsters_command_for_projects_reads_the_definitions(tmp_path: Path, command: list[str], expected: str) -> None:
    dg_command = Path(sys.executable).with_name("dg")
    done = subprocess.run(
        [str(dg_command), *command],
        cwd=Path(__file__).resolve().parents[3],
        capture_output=True,
        text=True,
        env=environment(tmp_path) | {"DAGSTER_DISABLE_TELEMETRY": "1"},
        timeout=300,
    )
    assert done.returncode == 0 and expected in done.stdout, done.stderr


def test_a_wrong_setting_is_one_sentence(tmp_path: Path) -> None:
    program = "import orchestration.definitions as d; d.defs()"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=environment(tmp_path) | {"SELVEDGE_HOM": "x"},
    )
    assert done.returncode != 0
    assert "setting SELVEDGE_HOM is unknown; did you mean SELVEDGE_HOME" in done.stderr


def described(definitions: dg.Definitions) -> dict[str, Any]:
    """What a reviewer wants to see change: keys, edges, mappings, partitions, checks, pools, jobs, triggers."""
    graph = definitions.resolve_asset_graph()
    pools = {key: graph.get(key).pools for key in graph.materializable_asset_keys}
    assets = {
        spec.key.to_user_string(): {
            "after": {
                dep.asset_key.to_user_string(): type(dep.partition_mapping).__name__
                for dep in sorted(spec.deps, key=lambda dep: dep.asset_key)
            },
            "partitions": getattr(spec.partitions_def, "name", None),
            "group": spec.group_name,
            "owners": list(spec.owners),
            "kinds": sorted(spec.kinds),
            "code_version": spec.code_version,
            "follows": spec.automation_condition.get_label() if spec.automation_condition else None,
            "pools": sorted(pools.get(spec.key) or []),
        }
        for spec in definitions.resolve_all_asset_specs()
    }
    checks = {
        f"{key.asset_key.to_user_string()}:{key.name}": getattr(graph.get_check_spec(key).partitions_def, "name", None)
        for key in graph.asset_check_keys
    }
    repository = definitions.get_repository_def()
    sensors = {sensor.name: str(sensor.default_status.value) for sensor in repository.sensor_defs}
    schedules = {
        schedule.name: [
            schedule.cron_schedule,
            schedule.execution_timezone,
            schedule.default_status.value,
            schedule.job_name,
        ]
        for schedule in repository.schedule_defs
    }
    jobs = sorted(job.name for job in repository.get_all_jobs())
    return {"assets": assets, "checks": checks, "sensors": sensors, "schedules": schedules, "jobs": jobs}


def environment(home: Path) -> dict[str, str]:
    import os

    return {**os.environ, "SELVEDGE_HOME": str(home), "PYTHONPATH": str(Path(__file__).resolve().parents[3])}


def in_a_new_process(program: str, home: Path) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment(home))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def seconds(program: str, home: Path) -> float:
    """Processor seconds of a program: a busy machine does not count."""
    wrapped = f"import time\nbegan = time.process_time()\n{program}\nprint(time.process_time() - began)"
    return float(in_a_new_process(wrapped, home).splitlines()[-1])
