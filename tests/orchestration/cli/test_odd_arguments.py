"""Odd arguments: whatever is given, a command answers with one sentence, never with a traceback, and writes nothing."""

import errno

import pytest

from orchestration.cli import main
from orchestration.cli.main import run

LONG = "x" * 300
ODD = (" ", "file", "folder", "loop", "a\0b", LONG, "file/inside", "-1", "9" * 30, "nan", "s3:/x", "é\udce9", "~none/x")
COMMANDS = (
    "train blip2-attributes --config {} --out out",
    "train {} --print-settings",
    "train blip2-attributes --print-settings --config {}",
    "train blip2-attributes --config ok.yaml --catalog {} --out out",
    "evaluate blip2-attributes --model {} --catalog folder",
    "infer attributes --catalog {} --out out --model folder",
    "infer descriptions --catalog folder --out {}",
    "infer ads --catalog {} --out out",
    "infer ads --photo {} --out out",
    "infer ads --photo file --prompt {} --out out",
    "infer ads --photo file --theme {} --out out",
    "infer ads --photo file --brand {} --out out",
    "infer ads --photo file --backdrop {} --out out",
    "infer ads --photo file --size {} --out out",
    "trace {}",
    "trace 1 --drop {}",
    "history blip2-attributes --at {}",
    "promote blip2-attributes {}",
    "review status {}",
    "review open blip2-attributes c --plan {}",
    "review simulate --preference {}",
    "catalog read {} --out out",
    "catalog sheet {}",
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SELVEDGE_HOME", str(tmp_path / "home"))
    for number, name in enumerate(("MLFLOW", "DAGSTER", "LABEL_STUDIO"), start=1):
        monkeypatch.setenv(f"SELVEDGE_{name}_PORT", str(number))
    (tmp_path / "here" / "folder").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "here" / "file").write_text("x")
    (tmp_path / "here" / "ok.yaml").write_text("base: tiny\n")
    (tmp_path / "here" / "loop").symlink_to("loop")
    return tmp_path / "here"


@pytest.mark.parametrize("command", COMMANDS)
def test_odd_arguments_are_answered_with_one_sentence(folder, command, capsys):
    before = sorted(path.name for path in folder.rglob("*"))
    for odd in ODD:
        code = run([odd if part == "{}" else part for part in command.split()])
        shown = capsys.readouterr()
        told = [line for line in shown.err.splitlines() if line.startswith("selvedge: ")]
        assert code in (1, 2) and len(told) == 1 and shown.out == "", (odd, code, shown)
        assert "Traceback" not in shown.err and len(told[0]) < 800
    assert sorted(path.name for path in folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (MemoryError(), "too little free memory"),
        (ImportError("libtorch.so: failed to map segment from shared object", name="torch"), "memory to load torch"),
        (OSError(errno.EMFILE, "Too many open files"), "Too many open files"),
        (
            OSError(errno.ENOTDIR, "Not a directory", "a/b"),
            "a/b: Not a directory; nothing was left half-written. A file stands where a folder is needed",
        ),
    ],
)
def test_what_the_machine_refuses_is_one_sentence(error, sentence, monkeypatch, capsys):
    def refused():
        raise error

    monkeypatch.setattr(main, "application", refused)
    assert run(["status"]) == 1
    assert sentence in (told := capsys.readouterr().err) and told.count("\n") == 1


@pytest.mark.parametrize("error", [ImportError("cannot import name 'x'"), RuntimeError("a defect"), OSError("odd")])
def test_a_defect_of_ours_is_no_sentence(error, monkeypatch):
    def broken():
        raise error

    monkeypatch.setattr(main, "application", broken)
    with pytest.raises(type(error)):
        run(["status"])
