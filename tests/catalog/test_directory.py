"""A catalogue directory is read as it was written: whole through every kill, in any place, and never mixed."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from catalog import directory
from catalog.catalogued_pictures import read_picture
from catalog.errors import SelvedgeError
from catalog.places import locked_folder
from catalog.workspace import TABLES, open_catalogue, read_into
from tests.catalog.shops import shop


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two deliveries, `shop` and `more`, and the first as a catalogue directory `made`."""
    root = tmp_path_factory.mktemp("places")
    shop(20).write(root / "shop")
    shop(21).write(root / "more")
    read_into(root / "shop", "d1", root / "made", workers=1)
    return root


@pytest.fixture
def made(places: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(places / "made", tmp_path / "made"))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("source", ["mistyped", "empty"])
def test_a_source_that_is_no_catalogue_destroys_nothing(made: Path, source: str) -> None:
    (made.parent / "empty").mkdir()
    before = contents(made)
    with pytest.raises(SelvedgeError):
        read_into(made.parent / source, "d1", made)
    assert contents(made) == before
    with pytest.raises(SelvedgeError):
        read_into(made.parent / source, "d1", made.parent / "new")
    assert not (made.parent / "new").exists()


@pytest.mark.parametrize("moves", range(0, 9, 2))
def test_a_kill_while_files_move_leaves_the_new_catalogue(
    places: Path, made: Path, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    replace = Path.replace
    done = 0

    def dies(self: Path, target: Path) -> Path:
        nonlocal done
        if self.parent.name == directory.NEXT:
            done += 1
            if done > moves:
                raise KeyboardInterrupt
        return replace(self, target)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Path, "replace", dies)
        read_into(places / "more", "d1", made, workers=1)
    assert open_catalogue(made).products.num_rows == 21
    with directory.one_reading(directory.UPath(made)):
        pass
    assert not (made / directory.NEXT).exists()
    assert open_catalogue(made).products.num_rows == 21


def test_of_two_readings_into_one_folder_the_second_is_refused(places: Path, made: Path) -> None:
    before = contents(made)
    with locked_folder(made), pytest.raises(SelvedgeError, match=r"another command writes into .*made; let it end"):
        read_into(places / "more", "d1", made)
    assert contents(made) == before


@pytest.mark.parametrize("out", ["shop", "shop/images/cat", "more"])
def test_a_delivery_is_never_written_into(places: Path, out: str) -> None:
    before = contents(places / "shop"), contents(places / "more")
    with pytest.raises(SelvedgeError, match=r"give a(nother)? folder"):
        read_into(places / "shop", "d1", places / out)
    assert (contents(places / "shop"), contents(places / "more")) == before


def test_what_a_killed_process_left_is_removed_and_a_running_one_is_left_alone(places: Path, made: Path) -> None:
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    pid = int(dead.stdout)
    left = [made / f".products.parquet.{pid}.0a.part", made / "images" / "00" / f".x.jpg.{pid}.0b.part"]
    folder, running = made / f"..next.{pid}.0c.part", made / ".splits.parquet.1.0d.part"
    for path in (*left, folder / "splits.parquet", running):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"half")
    read_into(places / "more", "d1", made, workers=1)
    assert [path.name for path in made.rglob(".*")] == [running.name]


def test_a_directory_may_be_renamed_and_copied(made: Path, places: Path) -> None:
    moved = made.rename(made.parent / "moved")
    copies = open_catalogue(moved).images.to_pylist()
    assert {Path(row["uri"]).parents[2] for row in copies} == {moved}
    assert all(read_picture(row["uri"], row["sha256"]).size == (row["width"], row["height"]) for row in copies)
    Path(copies[0]["uri"]).unlink()  # then the address that was written is as good as any
    assert Path(open_catalogue(moved).images["uri"][0].as_py()).parents[2] == places / "made"


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_another_catalogue_or_another_kind_is_refused(places: Path, made: Path, name: str) -> None:
    read_into(places / "more", "d1", places / "other", workers=1)
    other = next(table for table in TABLES if table != name)
    for wrong in (places / "other" / f"{name}.parquet", made / f"{other}.parquet"):
        if name == "quarantine" and wrong.name == "quarantine.parquet":
            continue  # both are empty, so it is the same table
        kept = (made / f"{name}.parquet").read_bytes()
        shutil.copy(wrong, made / f"{name}.parquet")
        with pytest.raises(SelvedgeError, match=rf"{name}\.parquet .*read the catalogue again"):
            open_catalogue(made)
        (made / f"{name}.parquet").write_bytes(kept)
    open_catalogue(made)


def test_a_directory_of_an_older_version_opens(made: Path) -> None:
    summary = json.loads((made / directory.SUMMARY_FILE).read_text())
    del summary["tables"]
    (made / directory.SUMMARY_FILE).write_text(json.dumps(summary))
    assert open_catalogue(made).products.num_rows == 20
    (made / directory.SUMMARY_FILE).write_text("[]")
    with pytest.raises(SelvedgeError, match="holds no mapping"):
        open_catalogue(made)
    summary["tables"] = {"products": 3, "images": {"sha256": None}}
    (made / directory.SUMMARY_FILE).write_text(json.dumps(summary))
    assert open_catalogue(made).products.num_rows == 20


@pytest.mark.parametrize("name", ["images", ".next", "products.parquet"])
def test_a_source_is_not_written_over_by_its_own_catalogue(places: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(places / "shop", tmp_path / "out" / name)
    before = contents(tmp_path)
    with pytest.raises(SelvedgeError, match="would write over the catalogue that is read"):
        read_into(tmp_path / "out" / name, "d1", tmp_path / "out", workers=1)
    assert contents(tmp_path) == before
    (tmp_path / "out" / name).rename(tmp_path / "out" / "delivered")
    assert read_into(tmp_path / "out" / "delivered", "d1", tmp_path / "out", workers=1)["reading"]["products"] == 20


@pytest.mark.parametrize(
    ("name", "sentence"), [("products.parquet", "is a folder"), (".next", "not left by a reading")]
)
def test_a_folder_where_a_reading_writes_is_told_before_anything_is_moved(
    places: Path, made: Path, name: str, sentence: str
) -> None:
    shutil.rmtree(made / name) if (made / name).is_dir() else (made / name).unlink(missing_ok=True)
    (made / name).mkdir()
    (made / name / "mine.txt").write_text("mine")
    before = contents(made)
    with pytest.raises(SelvedgeError, match=sentence):
        read_into(places / "more", "d2", made, workers=1)
    assert contents(made) == before
