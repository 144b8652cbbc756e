"""A file of a locked writer takes its name when it is whole, and what killed writers left goes."""

from pathlib import Path

import pytest

from infra.local.files import whole_file


def test_a_file_takes_its_name_when_it_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    for name in (".mlflow.db.0a1b.part", ".mlflow.db.0a1b.part-journal"):
        (tmp_path / name).write_text("left by a killed process")
    with whole_file(file) as part:
        assert not part.exists() and part.parent == tmp_path and not file.exists()
        part.write_text("whole")
    with pytest.raises(RuntimeError, match="halfway"), whole_file(file) as part:
        part.write_text("half")
        raise RuntimeError("halfway")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("mlflow.db", "whole")]
