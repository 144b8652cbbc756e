"""The inbox: what is read, what is read again, what is refused and how an operator is told."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from catalog import reading
from catalog.delivery import fingerprint
from catalog.drawn import draw_catalogue
from catalog.errors import SelvedgeError
from orchestration.assets.failures import SENTENCE_TAG
from orchestration.assets.partitions import DROPS
from orchestration.assets.published import Tables, materialised
from orchestration.defs.catalog import drops, inbox
from orchestration.defs.catalog.arrivals import FINGERPRINT_TAG, PARTITION_TAG, drop_states
from orchestration.defs.catalog.deliveries import add_drop, source_of
from orchestration.jobs.in_process import InProcess
from orchestration.runtime.settings import Settings

TABLE = "id,productDisplayName\n1,x\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(home=tmp_path / "home")
    made.inbox.mkdir(parents=True)
    return made


@pytest.fixture
def instance() -> dg.DagsterInstance:
    return dg.DagsterInstance.ephemeral()


@pytest.fixture
def look(settings: Settings, instance: dg.DagsterInstance) -> Callable[..., dg.SensorResult]:
    """One tick of the sensor, half a minute, or so many seconds, after the one before."""
    state = {"cursor": None, "now": 1000.0}

    def tick(after: float = 30) -> dg.SensorResult:
        state["now"] += after
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(inbox.time, "time", lambda: state["now"])
            context = dg.build_sensor_context(
                instance=instance, resources={"settings": settings}, cursor=state["cursor"]
            )
            result = inbox.inbox(context)
        state["cursor"] = result.cursor
        return result

    return tick


def deliver(folder: Path, table: str = TABLE) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "styles.csv").write_text(table)
    return folder


def asked(result: dg.SensorResult) -> list[str]:
    return [str(request.partition_key) for request in result.run_requests or ()]


def reason(result: dg.SensorResult) -> str:
    assert result.skip_reason is not None
    return str(result.skip_reason.skip_message)


def read(instance: dg.DagsterInstance, drop: str, stamp: str) -> None:
    """Stands in for the run that read a drop."""

    @dg.asset(key=["catalog", "products"], partitions_def=DROPS)
    def products() -> dg.MaterializeResult:
        return dg.MaterializeResult(metadata={"source_fingerprint": stamp, "rows": 1})

    if not instance.has_dynamic_partition(DROPS.name or "", drop):
        instance.add_dynamic_partitions(DROPS.name or "", [drop])
    dg.materialize([products], instance=instance, partition_key=drop)


def failed(instance: dg.DagsterInstance, drop: str, stamp: str, sentence: str) -> None:
    tags = {PARTITION_TAG: drop, FINGERPRINT_TAG: stamp, SENTENCE_TAG: sentence}
    job = drops_job()
    run = instance.create_run_for_job(job, tags=tags, asset_selection=frozenset(inbox.READ))
    instance.report_run_failed(run)


def drops_job() -> dg.JobDefinition:
    definitions = dg.Definitions(
        assets=[drops.read_drop], resources={"settings": Settings(), "tables": Tables(root="")}
    )
    return definitions.resolve_implicit_global_asset_job_def()


def test_a_folder_is_read_once_two_looks_saw_the_same_files(settings, instance, look):
    folder = deliver(settings.inbox / "2026-12")
    assert asked(look()) == []
    (folder / "images").mkdir()
    (folder / "images" / "1.jpg").write_bytes(b"half")  # the copy goes on
    assert "1 being copied" in reason(look())
    assert asked(look()) == ["2026-12"]
    assert instance.get_dynamic_partitions(DROPS.name or "") == ["2026-12"]


def test_a_mended_drop_is_asked_for_under_another_key_and_an_unchanged_one_is_not(settings, instance, look):
    folder = deliver(settings.inbox / "broken", "wrong;header\n")
    look()
    first = look().run_requests[0]
    failed(instance, "broken", fingerprint(str(folder)), "styles.csv has no column id.")
    (settings.inbox / "notes.txt").touch()
    look()
    again = look()
    assert asked(again) == [] and "inbox/notes.txt is a file" in reason(again) and "1 asked for" in reason(again)
    deliver(folder)
    assert asked(look()) == []  # as long as it may still be written
    mended = look().run_requests[0]
    assert mended.run_key != first.run_key and mended.tags[FINGERPRINT_TAG] == fingerprint(str(folder))
    read(instance, "broken", fingerprint(str(folder)))
    assert asked(look()) == [] and "1 read" in reason(look())


def test_a_clock_that_was_set_back_holds_up_no_drop(settings, instance, look):
    deliver(settings.inbox / "shop")
    look(1e6)
    assert asked(look(-1e6)) == []
    assert asked(look()) == ["shop"]


def test_a_manifest_says_when_a_drop_is_whole(settings, instance, look):
    folder = settings.inbox / "shop"
    folder.mkdir()
    sizes = {"styles.csv": len(TABLE), "images/1.jpg": 4}
    (folder / "manifest.json").write_text(json.dumps({"files": sizes}))
    deliver(folder)
    look()
    for _ in range(2):  # quiet, and not whole
        assert "inbox/shop lacks 1 of the 2 files of its manifest.json" in reason(look())
    assert "first: 'images/1.jpg'" in drop_states(settings, instance)[0].sentence
    (folder / "images").mkdir()
    (folder / "images" / "1.jpg").write_bytes(b"hal")
    assert asked(look()) == []
    (folder / "images" / "1.jpg").write_bytes(b"half")
    assert asked(look()) == ["shop"], "whole: nothing is waited for"


@pytest.mark.parametrize("manifest", ["", "{", "[]", '{"files": []}', '{"files": {"styles.csv": "9"}}', "[" * 99999])
def test_a_manifest_that_is_none_is_told(settings, instance, look, manifest):
    deliver(settings.inbox / "shop")
    (settings.inbox / "shop" / "manifest.json").write_text(manifest)
    look()
    assert "inbox/shop/manifest.json is no list of files and their bytes" in reason(look())


def test_a_drop_in_another_layout_is_taken_by_its_mapping(settings, instance, look):
    folder = settings.inbox / "feed"
    folder.mkdir()
    (folder / "feed.tsv").write_text("id")
    look()
    assert "feed holds no styles.csv" in reason(look())
    mapping = Path(__file__).resolve().parents[3] / "examples" / "mapping-merchant.yaml"
    mapped = settings.model_copy(update={"mapping": mapping})
    assert [state.state for state in drop_states(mapped, instance)] == ["waiting"]
    (folder / "feed.tsv").rename(folder / "feed.txt")
    assert [state.state for state in drop_states(mapped, instance)] == ["refused"]


@pytest.mark.parametrize("change", ["copied again", "a file more", "a file less", "another table"])
def test_what_changed_after_it_was_read_is_read_again(settings, instance, look, change):
    folder = deliver(settings.inbox / "shop")
    (folder / "images.csv").write_text("a")
    read(instance, "shop", fingerprint(str(folder)))
    look()
    assert asked(look()) == []
    if change == "copied again":
        shutil.rmtree(folder)
        deliver(folder)
        (folder / "images.csv").write_text("a")
        os.utime(folder / "styles.csv", (5, 5))
    elif change == "a file more":
        (folder / "new.jpg").touch()
    elif change == "a file less":
        (folder / "images.csv").unlink()
    else:
        (folder / "styles.csv").write_text(TABLE + "2,y\n")
    assert asked(look()) == []
    assert asked(look()) == ["shop"]


def test_files_put_back_as_they_once_were_are_read_again(settings, instance, look):
    """Under a key of their own: that of the first reading is spent for ever."""
    folder = settings.inbox / "shop"
    keys = []
    for table in (TABLE, TABLE + "2,y\n", TABLE):
        deliver(folder, table)
        os.utime(folder / "styles.csv", (len(table), len(table)))
        look()
        (request,) = look().run_requests
        keys.append(request.run_key)
        read(instance, "shop", fingerprint(str(folder)))
    assert len(set(keys)) == 3 and keys[0].split("-")[1] == keys[2].split("-")[1]


WRONG = {
    "nested": ("nested/fashion-dataset/styles.csv", "move what is in nested/fashion-dataset up into nested"),
    "deeper": ("deeper/a/b/styles.csv", "move what is in deeper/a/b up into deeper"),
    "Capital": ("Capital/Styles.csv", "inbox/Capital holds Styles.csv where it needs styles.csv"),
    "empty": ("empty/", "inbox/empty holds no styles.csv (nothing)"),
    "other": ("other/products.csv", "inbox/other holds no styles.csv (only products.csv)"),
    "x.zip": ("x.zip", "inbox/x.zip is an archive, and a drop is a folder; unpack it into inbox/x."),
    "notes.txt": ("notes.txt", "inbox/notes.txt is a file"),
    "My Drop (1)": ("My Drop (1)/styles.csv", "/inbox/My-Drop-1`."),
    "a,b": ("a,b/styles.csv", "/inbox/a-b`."),
    "two": ("two/a/styles.csv", "move what is in two/a up into two"),
}


def test_every_objection_is_told_once_in_the_log_and_none_hides_another_or_a_new_drop(settings, instance, look, capfd):
    for path, _ in WRONG.values():
        place = settings.inbox / path
        (place if path.endswith("/") else place.parent).mkdir(parents=True, exist_ok=True)
        if not path.endswith("/"):
            place.write_text("x")
    (settings.inbox / ".DS_Store").touch()
    deliver(settings.inbox / "good")
    look()
    assert asked(look()) == ["good"]
    first = capfd.readouterr().err.splitlines()
    read(instance, "good", fingerprint(str(settings.inbox / "good")))
    again = reason(look())
    for name, (_, sentence) in WRONG.items():
        assert sum(sentence in line for line in first) == 1, name
        assert sentence in again, name
    assert "inbox/" not in capfd.readouterr().err  # not once more
    states = {state.drop: state for state in drop_states(settings, instance)}
    assert {name for name, state in states.items() if state.state == "refused"} == set(WRONG)
    assert all(sentence in states[name].sentence for name, (_, sentence) in WRONG.items())
    assert states["good"].state == "read" and ".DS_Store" not in states


def test_names_that_no_log_can_hold_are_told_and_stop_nothing(settings, instance, look):
    odd = (b"caf\xe9", b"caf\xe8", b"new\nline", b"x\xff.zip")
    for name in odd:
        place = os.fsencode(settings.inbox) + b"/" + name
        Path(os.fsdecode(place)).touch() if name.endswith(b".zip") else deliver(Path(os.fsdecode(place)))
    deliver(settings.inbox / "good")
    look()
    assert asked(look()) == ["good"]
    states = {state.drop: state for state in drop_states(settings, instance) if state.state == "refused"}
    assert set(states) == {r"caf\xe9", r"caf\xe8", r"new\nline", r"x\xff.zip"}
    assert all(state.sentence.isprintable() for state in states.values())
    remedy = re.search("`(mv .*)`", states[r"caf\xe9"].sentence)
    subprocess.run(["bash", "-c", remedy.group(1)], check=True)
    assert (settings.inbox / "caf" / "styles.csv").is_file()


def test_a_folder_that_cannot_be_looked_into_stops_nothing(settings, instance, look, monkeypatch):
    deliver(settings.inbox / "closed")
    deliver(settings.inbox / "good")
    real = Path.is_file

    def refuse(path: Path) -> bool:
        if path.parent.name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(Path, "is_file", refuse)
    look()
    assert asked(look()) == ["good"]
    assert "inbox/closed cannot be read (Permission denied)" in drop_states(settings, instance)[-1].sentence


def test_a_folder_named_as_a_drop_from_elsewhere_does_not_take_its_place(settings, instance, look, tmp_path):
    add_drop(instance, settings, "shop", str(deliver(tmp_path / "elsewhere")))
    deliver(settings.inbox / "shop")
    look()
    assert asked(look()) == []
    assert f"drop shop was read from {tmp_path / 'elsewhere'}" in reason(look())


def test_the_state_of_every_drop_is_told(settings, instance):
    for name in ("done", "changed", "broken", "mended", "new"):
        stamp = fingerprint(str(deliver(settings.inbox / name)))
        if name != "new":
            add_drop(instance, settings, name, str(settings.inbox / name))
        if name in ("done", "changed"):
            read(instance, name, stamp if name == "done" else "another")
        if name in ("broken", "mended"):
            failed(instance, name, stamp if name == "broken" else "another", "styles.csv has no column id.")
    states = {state.drop: state for state in drop_states(settings, instance)}
    assert {name: state.state for name, state in states.items()} == {
        "done": "read",
        "changed": "waiting",
        "broken": "failed",
        "mended": "waiting",
        "new": "waiting",
    }
    assert states["broken"].sentence.startswith("styles.csv has no column id. Mend its files")
    assert states["changed"].sentence.startswith("it changed; ") and states["done"].products == 1


def test_a_moved_home_finds_its_drops_where_they_are_now(settings, instance, tmp_path):
    deliver(settings.inbox / "shop")
    add_drop(instance, settings, "shop", str(settings.inbox / "shop"))
    record = settings.tables() / "drops" / "shop.json"
    assert json.loads(record.read_text()) == {"drop": "shop", "source": "inbox/shop"}
    moved = Settings(home=tmp_path / "moved")
    shutil.move(settings.home, moved.home)
    assert source_of(moved, "shop") == str(moved.inbox / "shop")
    # As an older Selvedge wrote it:
    moved.tables().joinpath("drops", "shop.json").write_text(
        json.dumps({"drop": "shop", "source": str(settings.inbox / "shop")})
    )
    assert source_of(moved, "shop") == str(moved.inbox / "shop")


def test_the_fingerprint_is_that_of_older_homes(tmp_path):
    folder = deliver(tmp_path / "a")
    (folder / "images").mkdir()
    (folder / "images" / "1.jpg").write_text("x")
    (folder / "images-old.txt").write_text("y")
    (folder / "link").symlink_to("nowhere")
    for path in folder.rglob("*.*"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    assert fingerprint(str(folder)) == OF_THE_OLDER_CODE


OF_THE_OLDER_CODE = "6aae9a97da33a146f180c292a551140f030a63a5fda143b0b1a04b8afaca262e"


def test_a_disk_that_takes_no_record_holds_up_no_other_drop_and_is_tried_again(settings, instance, look, monkeypatch):
    full = SelvedgeError("tables/drops/a.json could not be written (No space left on device); nothing was changed.")
    honest = inbox.add_drop

    def on_a_full_disk(instance, settings, drop, source):
        if drop == "a":
            raise full
        honest(instance, settings, drop, source)

    monkeypatch.setattr(inbox, "add_drop", on_a_full_disk)
    for name in ("a", "b"):
        deliver(settings.inbox / name)
    look()
    assert asked(look()) == ["b"]
    assert f"drop a could not be taken: {full}" in reason(look())
    monkeypatch.setattr(inbox, "add_drop", honest)
    assert asked(look()) == ["a"]


def test_a_drop_that_changes_while_it_is_read_is_read_again(settings, instance, monkeypatch):
    """The stamp is of the files before reading: what was written meanwhile is news to the next look."""
    draw_catalogue(settings.inbox / "shop", 3, 3, size=64, workers=1)
    add_drop(instance, settings, "shop", str(settings.inbox / "shop"))
    honest = reading.read_catalogue

    def meanwhile(*arguments, **options):
        read = honest(*arguments, **options)
        (settings.inbox / "shop" / "images" / "late.jpg").write_bytes(b"late")
        return read

    monkeypatch.setattr(reading, "read_catalogue", meanwhile)
    resources = {"settings": settings, "tables": Tables(root=str(settings.tables()))}
    dg.materialize([drops.read_drop], instance=instance, partition_key="shop", resources=resources)
    (state,) = drop_states(settings, instance)
    assert (state.state, state.products) == ("waiting", 3) and state.sentence.startswith("it changed; ")


def test_the_graph_reads_a_drop_that_was_mended(tmp_path, monkeypatch):
    monkeypatch.setattr(inbox, "SETTLE_SECONDS", -1.0)
    settings = Settings(home=tmp_path)
    definitions = dg.Definitions(
        assets=[drops.read_drop],
        sensors=[inbox.inbox],
        resources={"settings": settings, "tables": Tables(root=str(settings.tables()))},
        executor=dg.in_process_executor,
    )
    graph = InProcess(definitions, dg.DagsterInstance.ephemeral())
    draw_catalogue(settings.inbox / "shop", 3, 3, size=64, workers=1)
    table = settings.inbox / "shop" / "styles.csv"
    good = table.read_text()
    table.write_text("wrong;header\n")
    graph.settle()
    with pytest.raises(Exception, match=r"styles\.csv|column"):
        graph.settle()
    assert [state.state for state in drop_states(settings, graph.instance)] == ["failed"]
    table.write_text(good)
    graph.settle()
    assert graph.settle() == 1
    assert (materialised(graph.instance, "catalog/products", "shop") or {})["rows"] == 3
    assert graph.settle() == 0
