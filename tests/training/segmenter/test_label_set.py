"""A label set is kept once under the name of its content, and nothing is both learnt from and tested on."""

import shutil
from pathlib import Path

import pytest

from catalog.errors import SelvedgeError
from tests.training.segmenter.squares import write
from training.segmenter.label_set import GENERATED, LABELLED, TEST, keep_label_set, read_label_set


def parts(folder: Path) -> dict[str, Path]:
    made = {LABELLED: 4, TEST: 6, GENERATED: 8}
    return {name: write(folder / name, count, seed) for seed, (name, count) in enumerate(made.items())}


def test_the_same_content_is_kept_once_and_other_content_beside_it(tmp_path: Path) -> None:
    sources = parts(tmp_path)
    first = keep_label_set(sources, tmp_path / "sets")
    shutil.copytree(tmp_path / TEST, tmp_path / "moved")
    assert keep_label_set({**sources, TEST: tmp_path / "moved"}, tmp_path / "sets").folder == first.folder
    other = keep_label_set({LABELLED: sources[LABELLED], TEST: sources[TEST]}, tmp_path / "sets")
    assert other.generated is None and first.generated == first.folder / GENERATED
    assert sorted(path.name for path in (tmp_path / "sets").iterdir()) == sorted([first.folder.name, other.folder.name])
    assert first.sha256.startswith(first.folder.name) and read_label_set(first.folder) == first


def test_a_kept_set_that_was_changed_is_not_read(tmp_path: Path) -> None:
    kept = keep_label_set(parts(tmp_path), tmp_path / "sets")
    (kept.test / "masks" / "0.png").write_bytes((kept.test / "masks" / "1.png").read_bytes())
    with pytest.raises(SelvedgeError, match="not the one that the folder is named by; restore it, or delete it"):
        read_label_set(kept.folder)


def test_what_is_no_set_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    sources = parts(tmp_path)
    with pytest.raises(SelvedgeError, match=r"has no test/; a label set holds labelled/ and test/"):
        read_label_set(write(tmp_path / "set" / LABELLED).parent)
    other = write(tmp_path / "other", classes=("background", "lower", "upper"))
    with pytest.raises(SelvedgeError, match="label both with the same classes in the same order"):
        keep_label_set({**sources, TEST: other}, tmp_path / "sets")
    with pytest.raises(SelvedgeError, match=r"test picture 0 of .* is also labelled picture 0"):
        keep_label_set({LABELLED: sources[LABELLED], TEST: sources[LABELLED]}, tmp_path / "sets")
    assert not (tmp_path / "sets").exists()
