"""The catalogue stage executed on drawn deliveries: what follows by itself, what blocks, what is remembered."""

import json
import shutil
from pathlib import Path

import dagster as dg
import pytest

from catalog.delivery import fingerprint
from catalog.drawn import draw_catalogue
from catalog.errors import SelvedgeError
from catalog.workspace import read_into
from orchestration.assets.dataset import freeze_dataset
from orchestration.assets.partitions import DROPS
from orchestration.assets.published import Tables, materialised, newest
from orchestration.defs.catalog import drops, inbox, training_set
from orchestration.defs.catalog.deliveries import add_drop
from orchestration.defs.catalog.withdrawn import withdrawal_of, withdrawals
from orchestration.graph import checks
from orchestration.jobs.in_process import InProcess, keys
from orchestration.report.state import catalogue_warnings
from orchestration.runtime.settings import Settings
from tests.catalog.shops import shop
from training.catalogue import read_dataset

READ = keys("catalog/products", "catalog/quarantine")


@pytest.fixture(scope="module")
def deliveries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two small deliveries with other ids; the second one with faults."""
    folder = tmp_path_factory.mktemp("deliveries")
    draw_catalogue(folder / "first", 30, 3, size=64, workers=1)
    draw_catalogue(folder / "second", 30, 3, size=64, workers=1, first_id=20001, faults=True)
    return folder


@pytest.fixture
def graph(tmp_path: Path) -> InProcess:
    settings = Settings(home=tmp_path)
    definitions = dg.Definitions(
        assets=[drops.read_drop, drops.images, training_set.splits, training_set.qa_pairs],
        asset_checks=[*checks.catalogue_checks()],
        sensors=[inbox.inbox],
        resources={"settings": settings, "tables": Tables(root=str(settings.tables()))},
        executor=dg.in_process_executor,
    )
    return InProcess(definitions, dg.DagsterInstance.ephemeral())


def settings_of(graph: InProcess) -> Settings:
    return graph.definitions.resources["settings"]  # type: ignore[index, return-value]


def rows(graph: InProcess, name: str, partition: str | None = None) -> int:
    found = materialised(graph.instance, name, partition)
    return int(found["rows"]) if found else 0


def test_a_drop_becomes_questions_by_itself_and_the_next_one_joins_it(graph: InProcess, deliveries: Path) -> None:
    add_drop(graph.instance, settings_of(graph), "first", str(deliveries / "first"))
    graph.run(READ, "first")
    graph.settle()
    assert rows(graph, "catalog/products", "first") == rows(graph, "catalog/images", "first") == 30
    assert rows(graph, "catalog/splits") == 30
    assert rows(graph, "catalog/qa_pairs") > 60
    tables = Tables(root=str(settings_of(graph).tables()))
    before = {row["product_id"]: row for row in tables.read(graph.instance, "catalog/splits").to_pylist()}

    add_drop(graph.instance, settings_of(graph), "second", str(deliveries / "second"))
    graph.run(READ, "second")
    graph.settle()
    products = rows(graph, "catalog/products", "second")
    after = {row["product_id"]: row for row in tables.read(graph.instance, "catalog/splits").to_pylist()}
    assert len(after) == 30 + products
    assert {key: after[key] for key in before} == before
    assert products + rows(graph, "catalog/quarantine", "second") == 33
    assert graph.settle() == 0
    assert not graph.stale("catalog/qa_pairs")
    metadata = materialised(graph.instance, "catalog/products", "second") or {}
    assert "data:image/jpeg;base64," in metadata["pictures"]
    a_copied_home_reads_its_own_pictures(graph, tables)
    a_withdrawn_product_leaves_every_table_and_stays_in_the_record(graph, tables, deliveries / "second")


def a_withdrawn_product_leaves_every_table_and_stays_in_the_record(
    graph: InProcess, tables: Tables, delivery: Path
) -> None:
    settings, styles = settings_of(graph), delivery / "styles.csv"
    product = tables.read(graph.instance, "catalog/products", "second").to_pylist()[3]
    went, before = product["product_id"], fingerprint(str(delivery))
    whole = styles.read_bytes()
    styles.write_bytes(b"".join(line for line in whole.splitlines(True) if not line.startswith(f"{went},".encode())))
    graph.run(READ, "second")
    graph.run(keys("catalog/images"), "second")  # as the night does with a drop that changed
    graph.settle()
    for name, drop in (("products", "second"), ("images", "second"), ("qa_pairs", None)):
        assert went not in tables.read(graph.instance, f"catalog/{name}", drop)["product_id"].to_pylist(), name
    splits = tables.read(graph.instance, "catalog/splits")["product_id"].to_pylist()
    assert went in splits, "should it come back, it is on the side where it was"
    assert (materialised(graph.instance, "catalog/products", "second") or {})["withdrawn"] == 1
    line = withdrawal_of(settings, ["first", "second"], went)
    assert line is not None and line.products == {went: product["product_display_name"]}
    assert (line.drop, line.replaced, line.fingerprint) == ("second", before, fingerprint(str(delivery)))
    graph.run(READ, "second")
    assert withdrawals(settings, "second") == [line], "the same delivery again withdraws nothing"
    styles.write_bytes(whole)


def a_copied_home_reads_its_own_pictures(graph: InProcess, tables: Tables) -> None:
    frozen, home = freeze_dataset(graph.instance, tables), settings_of(graph).home
    copy = home / "copy"
    shutil.copytree(home / "objects", copy / "objects")
    shutil.copytree(home / "tables", copy / "tables")
    here = Tables(root=str(copy / "tables"))
    images = here.read(graph.instance, "catalog/images", "second").to_pandas()
    folder = here.standing(str(frozen.folder))
    assert folder.startswith(f"{copy}/")
    taught = read_dataset(folder, frozen.question_set).images
    for uris in (images["uri"], taught["uri"]):
        assert all(uri.startswith(f"{copy}/objects/images/") for uri in uris)


def test_a_drop_whose_source_nobody_said_is_refused(graph: InProcess) -> None:
    graph.instance.add_dynamic_partitions(DROPS.name or "", ["nowhere"])
    with pytest.raises(SelvedgeError, match=r"drop nowhere has no source; .*config `source: FOLDER`"):
        graph.run(READ, "nowhere")
    assert graph.settle() == 0


def test_the_source_typed_once_is_remembered(graph: InProcess, deliveries: Path) -> None:
    graph.instance.add_dynamic_partitions(DROPS.name or "", ["typed"])
    config = {"ops": {"read_drop": {"config": {"source": str(deliveries / "first")}}}}
    graph.run(READ, "typed", config)
    graph.run(READ, "typed")
    assert rows(graph, "catalog/products", "typed") == 30


@pytest.mark.parametrize("typed", ["a,b", "../x", "a b", ".hidden", "a" * 101])
def test_a_drop_with_an_unusable_name_writes_nothing(graph: InProcess, typed: str) -> None:
    graph.instance.add_dynamic_partitions(DROPS.name or "", [typed])
    with pytest.raises(SelvedgeError, match="is not a usable partition key"):
        graph.run(READ, typed)
    assert not settings_of(graph).tables().exists()


def test_a_lost_row_stops_everything_after_it(
    graph: InProcess, deliveries: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from catalog import reading

    honest = reading.read_catalogue

    def forgetful(*arguments: object, **options: object) -> reading.CatalogueRead:
        read = honest(*arguments, **options)  # type: ignore[arg-type]
        return reading.CatalogueRead(read.products.slice(1), read.quarantine, read.counts)

    monkeypatch.setattr(reading, "read_catalogue", forgetful)
    add_drop(graph.instance, settings_of(graph), "first", str(deliveries / "first"))
    with pytest.raises(SelvedgeError, match="30 rows in, 29 products, 0 in quarantine"):
        graph.run(READ, "first")
    assert graph.settle() == 0
    assert newest(graph.instance, "catalog/images", "first") is None


def test_a_leak_stops_the_questions(graph: InProcess, deliveries: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow as pa

    from catalog import splits

    honest = splits.assign_splits

    def leaking(*arguments: object, **options: object) -> pa.Table:
        frame = honest(*arguments, **options).to_pandas()  # type: ignore[arg-type]
        frame["group_id"] = "g1"
        return pa.Table.from_pandas(frame, preserve_index=False)

    monkeypatch.setattr(splits, "assign_splits", leaking)
    add_drop(graph.instance, settings_of(graph), "first", str(deliveries / "first"))
    graph.run(READ, "first")
    with pytest.raises(SelvedgeError, match="no group in two splits"):
        graph.settle()
    assert newest(graph.instance, "catalog/qa_pairs") is None


def test_a_table_changed_behind_dagsters_back_is_noticed(graph: InProcess, deliveries: Path) -> None:
    from catalog.tables import write_table

    add_drop(graph.instance, settings_of(graph), "first", str(deliveries / "first"))
    graph.run(READ, "first")
    tables = Tables(root=str(settings_of(graph).tables()))
    smaller = tables.read(graph.instance, "catalog/products", "first").slice(1)
    write_table(smaller, tables.path("catalog/products", "first"), "products")
    with pytest.raises(SelvedgeError, match="changed since it was referenced"):
        graph.settle()


def test_a_first_drop_too_small_to_teach_is_read_and_says_so_until_a_larger_one_comes(
    graph: InProcess, tmp_path: Path
) -> None:
    shop(3).write(tmp_path / "small")
    add_drop(graph.instance, settings_of(graph), "small", str(tmp_path / "small"))
    graph.run(READ, "small")
    graph.settle()
    assert (rows(graph, "catalog/images", "small"), rows(graph, "catalog/qa_pairs")) == (3, 0)
    by_hand = read_into(str(tmp_path / "small"), "small", tmp_path / "by-hand", workers=1)["warnings"]
    assert catalogue_warnings(graph.instance) == by_hand
    assert "no answer is given by enough of the 3 products" in by_hand[0]
    assert not graph.stale("catalog/qa_pairs")
    with pytest.raises(SelvedgeError, match=r"table qa_pairs is empty: .*read a larger catalogue"):
        tables = Tables(root=str(settings_of(graph).tables()))
        frozen = freeze_dataset(graph.instance, tables)
        read_dataset(str(frozen.folder), frozen.question_set)


def test_the_record_of_a_drop_is_plain_json(graph: InProcess, deliveries: Path) -> None:
    add_drop(graph.instance, settings_of(graph), "first", str(deliveries / "first"))
    record = json.loads((settings_of(graph).tables() / "drops" / "first.json").read_text())
    assert record == {"drop": "first", "source": str(deliveries / "first")}


def test_a_drop_of_which_nothing_is_left_leaves_its_quarantine(
    graph: InProcess, deliveries: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "spoilt"
    (folder / "images").mkdir(parents=True)
    (folder / "styles.csv").write_bytes((deliveries / "first" / "styles.csv").read_bytes())
    add_drop(graph.instance, settings_of(graph), "spoilt", str(folder))
    with pytest.raises(SelvedgeError, match=r"none of its 30 rows became a product .*images/ is empty"):
        graph.run(READ, "spoilt")
    assert (rows(graph, "catalog/quarantine", "spoilt"), rows(graph, "catalog/products", "spoilt")) == (30, 0)
