"""The command line: stdout carries the result and nothing else, an error is one sentence, the exit code tells."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from catalog.errors import SelvedgeError
from orchestration.cli import results
from orchestration.cli.main import application, run
from orchestration.cli.terminal import LineReporter
from orchestration.families import find_family
from orchestration.runtime.folders import new_folder
from tests.catalog.shops import shop
from training.reporting import TimeLeft

ROOT = Path(__file__).resolve().parents[3]
MANUAL = ROOT / "docs" / "cli.md"


def selvedge(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command as a person runs it."""
    command = [sys.executable, "-m", "orchestration.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, **environment})


def command_names() -> set[str]:
    import typer

    def walk(command, words):
        children = getattr(command, "commands", None)
        if not children or command.invoke_without_command:
            yield " ".join(words)
        for name, child in (children or {}).items():
            if not child.hidden:
                yield from walk(child, [*words, name])

    return set(walk(typer.main.get_command(application()), []))


def test_every_command_declares_its_result_and_has_json():
    assert command_names() == set(results.declared())


@pytest.mark.parametrize("command", sorted(results.declared()))
def test_every_command_takes_json_and_explains_itself(command, capsys):
    assert run([*command.split(), "--help"]) == 0
    help_text = capsys.readouterr().out
    assert "--json" in help_text and "Usage: selvedge " + command in help_text


def test_the_manual_lists_every_key_and_setting_as_declared():
    """The keys are a promise to scripts: a change here belongs into the changelog, too."""
    from tools.reference import commands_page

    text = MANUAL.read_text()
    assert "| `quarantine` | rejected rows |" in text and "| `SELVEDGE_HOME` |" in text
    assert commands_page(text) == text, "run `python -m tools.reference`"


def test_the_manual_names_every_command():
    text = MANUAL.read_text()
    assert [command for command in command_names() if f"`selvedge {command.split()[0]}" not in text] == []


def test_a_result_with_other_keys_than_declared_is_refused():
    with pytest.raises(ValueError, match="result of up: keys"):
        results.emit("up", True, {"home": "x"})


def test_missing_figures_are_null_because_nan_is_no_json(capsys):
    results.emit("up", True, {"home": "x", "services": [{"seconds": float("nan")}]})
    assert json.loads(capsys.readouterr().out)["services"] == [{"seconds": None}]


def test_starting_up_imports_nothing_heavy():
    heavy = ["torch", "transformers", "mlflow", "dagster", "great_expectations", "pandas", "pyarrow", "pydantic"]
    heavy += ["label_studio_sdk", "httpx"]
    script = f"import sys; import orchestration.cli.main; print([m for m in {heavy} if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    assert shown.stdout == "[]\n"


def test_draw_read_and_look_print_one_object_each(tmp_path):
    drawn = selvedge("catalog", "draw", str(tmp_path / "shop"), "--products", "60", "--seed", "3", "--json")
    values = json.loads(drawn.stdout)
    assert drawn.returncode == 0 and list(values) == list(results.declared()["catalog draw"])
    assert (values["rows"], values["seed"]) == (60, 3) and (tmp_path / "shop" / "styles.csv").exists()
    read = selvedge("catalog", "read", str(tmp_path / "shop"), "--out", str(tmp_path / "read"), "--json")
    values = json.loads(read.stdout)
    assert list(values) == list(results.declared()["catalog read"])
    assert values["rows"] == values["products"] + values["quarantine"] == 60 and values["leaks"] == 0
    for source in ("shop", "read"):
        looked = selvedge(
            *("catalog", "sheet", str(tmp_path / source), "--out", str(tmp_path / "sheet.png")),
            *("--columns", "6", "--rows", "2", "--size", "64", "--json"),
        )
        assert json.loads(looked.stdout) == {
            "path": str(tmp_path / "sheet.png"),
            "products": 12,
            "width": 384,
            "height": 128,
        }


def test_what_was_guessed_is_told_on_stderr_and_in_the_result(tmp_path):
    built = shop(3)
    built.lines = [line.rpartition(b",")[0] + ",Рубашка".encode("cp1251") for line in built.lines]
    built.lines[2] = built.lines[2].replace(b",Men,", b",Kids,")
    read = selvedge("catalog", "read", str(built.write(tmp_path / "shop")), "--out", str(tmp_path / "read"), "--json")
    values = json.loads(read.stdout)
    assert (values["not_utf8"], values["unmapped"], values["qa_pairs"]) == (3, {"Gender": {"Kids": 1}}, 0)
    assert len(values["warnings"]) == 2 and all(sentence in read.stderr for sentence in values["warnings"])


def test_planted_faults_are_found_under_their_own_reasons(tmp_path):
    drawn = selvedge("catalog", "draw", str(tmp_path / "shop"), "--products", "60", "--faults", "--json")
    read = selvedge("catalog", "read", str(tmp_path / "shop"), "--out", str(tmp_path / "read"), "--json")
    assert json.loads(read.stdout)["reasons"] == json.loads(drawn.stdout)["faults"] != {}


def test_without_json_a_person_reads_aligned_lines(tmp_path):
    drawn = selvedge("catalog", "draw", str(tmp_path / "shop"), "--products", "20")
    lines = dict(line.split(None, 1) for line in drawn.stdout.splitlines())
    assert lines["products"] == "20" and lines["path"] == str(tmp_path / "shop")


TRAIN = ("train", "restgan", "--config", "{tmp}/settings.yaml")
EVALUATE = ("evaluate", "restgan", "--model", "{tmp}/full", "--catalog", "{tmp}")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["catalog", "read", "/no/such/place", "--out", "{tmp}/out"], "there is no catalogue at /no/such/place"),
        (["catalog", "read", "{tmp}/full", "--out", "{tmp}/out"], "styles.csv does not exist"),
        (["catalog", "read", "{tmp}", "--out", "{tmp}/out"], "is in the catalogue that is read"),
        (["catalog", "read", "{tmp}/full", "--out", ""], "argument --out is empty; leave it out, or give a value"),
        (["catalog", "read", "", "--out", "{tmp}/out"], "argument 3 is empty"),
        (["demo", "--catalog="], "argument --catalog is empty"),
        (["infer", "attributes", "--catalog", "{tmp}", "--out", "{tmp}/read"], "is a catalogue directory; give a fol"),
        (["infer", "descriptions", "--catalog", "{tmp}", "--out", "{tmp}/read"], "is a catalogue directory; give a"),
        (["catalog", "read", "{tmp}/full", "--out", "{tmp}/file"], "A file stands where a folder is needed"),
        (["catalog", "draw", "{tmp}/file"], "A file stands where a folder is needed"),
        (["catalog", "draw", "{tmp}/file/x"], "A file stands where a folder is needed"),
        (["catalog", "sheet", "{tmp}", "--out", "{tmp}/file/x.png"], "A file stands where a folder is needed"),
        (["catalog", "sheet", "{tmp}", "--out", "{tmp}/full"], "A file stands where a folder is needed"),
        (["infer", "descriptions", "--catalog", "{tmp}", "--out", "{tmp}/file"], "A file stands where a folder is"),
        (["infer", "attributes", "--catalog", "{tmp}", "--out", "{tmp}/file/x"], "A file stands where a folder is"),
        ([*TRAIN, "--out", "{tmp}/file/x"], "A file stands where a folder is needed"),
        ([*EVALUATE, "--out", "{tmp}/file/x"], "A file stands where a folder is needed"),
        ([*EVALUATE, "--out", "{tmp}/full"], "/full is already there; name another folder"),
        (["discover", "--query", "jeans", "--out", "{tmp}/file/x.png"], "A file stands where a folder is needed"),
        (["review", "report", "cards", "--out", "{tmp}/file/x.html"], "A file stands where a folder is needed"),
        (["catalog", "draw", "{tmp}/new", "--style", "baroque"], "drawing style 'baroque' is unknown"),
        (["catalog", "draw", "{tmp}/full"], "/full is already there; name another folder"),
        (["catalog", "sheet", "{tmp}"], "has no readable picture"),
        (["train", "blip2-atributes", "--config", "x", "--out", "y"], "did you mean blip2-attributes?"),
        (["evaluate", "unet", "--model", "x", "--catalog", "y"], "family 'unet' is unknown; the families are"),
        (["promote", "resnet", "c"], "family 'resnet' is unknown"),
        (["rollback", "blip2-attributes"], "does not answer; start it with `selvedge up`"),
    ],
)
def test_an_error_is_one_sentence_and_nothing_is_written(tmp_path, arguments, sentence, capsys, monkeypatch):
    monkeypatch.setenv("SELVEDGE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SELVEDGE_MLFLOW_PORT", "1")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "something").write_text("mine")
    (tmp_path / "file").write_text("a file")
    (tmp_path / "read").mkdir()
    (tmp_path / "read" / "catalogue.json").write_text("{}")
    (tmp_path / "settings.yaml").write_text("catalog: full")
    before = {path for path in tmp_path.rglob("*") if "home" not in path.parts}
    assert run([part.format(tmp=tmp_path) for part in arguments]) == 1
    shown = capsys.readouterr()
    lines = [line for line in shown.err.splitlines() if line.startswith("selvedge: ")]
    assert len(lines) == 1 and sentence in lines[0] and "Traceback" not in shown.err and shown.out == ""
    assert {path for path in tmp_path.rglob("*") if "home" not in path.parts} == before


@pytest.mark.parametrize("arguments", [["catalog", "draw"], ["nonsense"], ["status", "--jsno"], ["catalog"], []])
def test_wrong_usage_exits_with_2_and_says_where_help_is(arguments, capsys):
    assert run(arguments) == 2
    assert "Usage:" in (told := capsys.readouterr().err) or "--help`" in told


def test_a_wrong_setting_is_one_sentence(tmp_path):
    ended = selvedge("status", SELVEDGE_HOME=str(tmp_path), SELVEDGE_MLFLOW_PROT="5000")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == ("selvedge: setting SELVEDGE_MLFLOW_PROT is unknown; did you mean SELVEDGE_MLFLOW_PORT?\n")


def test_status_works_with_nothing_running(tmp_path):
    names = ("MLFLOW", "DAGSTER", "LABEL_STUDIO")
    ports = {f"SELVEDGE_{name}_PORT": str(port) for port, name in enumerate(names, start=1)}
    shown = selvedge("status", "--json", SELVEDGE_HOME=str(tmp_path), **ports)
    values = json.loads(shown.stdout)
    assert shown.returncode == 0 and values["families"] is None and values["tables"] == {}
    assert {service["name"]: service["state"] for service in values["services"]} == {
        "mlflow-proxy": "stopped",
        "label-studio-proxy": "stopped",
        "dagster-proxy": "stopped",
        "mlflow": "stopped",
        "label-studio": "stopped",
        "dagster-code-server": "stopped",
        "dagster-webserver": "stopped",
        "dagster-daemon": "stopped",
    }


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_interrupted_drawing_leaves_nothing_and_the_rerun_completes(tmp_path, number):
    command = [
        sys.executable,
        "-m",
        "orchestration.cli",
        "catalog",
        "draw",
        str(tmp_path / "shop"),
        "--products",
        "3000",
    ]
    drawing = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".shop.*.part/images/*.jpg")):
        assert drawing.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    drawing.send_signal(number)
    out, err = drawing.communicate(timeout=60)
    assert drawing.returncode == 130 and out == "" and "Traceback" not in err
    assert "selvedge: interrupted; nothing was left half-written" in err
    assert list(tmp_path.iterdir()) == []
    assert run(["catalog", "draw", str(tmp_path / "shop"), "--products", "5"]) == 0


def test_what_a_killed_command_left_is_removed_by_the_next(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / f".shop.{ended.pid}.0a1b2c3d.part").mkdir()
    (tmp_path / f".shop.{os.getppid()}.0a1b2c3d.part").mkdir()  # of a command that still runs
    with new_folder(tmp_path / "shop") as part:
        (part / "styles.csv").write_text("id\n")
    assert {path.name for path in tmp_path.iterdir()} == {"shop", f".shop.{os.getppid()}.0a1b2c3d.part"}


def test_a_folder_that_fails_is_not_there(tmp_path):
    with pytest.raises(RuntimeError), new_folder(tmp_path / "shop") as part:
        (part / "half").write_text("x")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_sentence_without_a_traceback(tmp_path, monkeypatch, capsys):
    import catalog.drawn.catalogue

    def full(*arguments, **more):
        raise OSError(28, "No space left on device", str(tmp_path / "shop" / "images"))

    monkeypatch.setattr(catalog.drawn.catalogue, "draw_catalogue", full)
    assert run(["catalog", "draw", str(tmp_path / "shop")]) == 1
    assert "No space left on device; nothing was left half-written." in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_defect_of_ours_keeps_its_traceback(tmp_path, monkeypatch):
    import catalog.drawn.catalogue

    monkeypatch.setattr(catalog.drawn.catalogue, "draw_catalogue", lambda *a, **k: {}["a defect"])
    with pytest.raises(KeyError, match="a defect"):
        run(["catalog", "draw", str(tmp_path / "shop")])


def test_a_misspelt_family_is_answered_with_the_nearest_one():
    with pytest.raises(SelvedgeError, match="did you mean blip2-attributes"):
        find_family("blip2_attributes")


def test_lines_come_now_and_then_and_once_at_the_end(capsys):
    reporter = LineReporter(every_seconds=0.0)
    quiet = LineReporter(every_seconds=3600)
    for done in range(1, 4):
        quiet.progress(done, 3, "reading")
    assert capsys.readouterr().err == "reading: 3 of 3\n"
    reporter.metrics(10, {"train/loss": 0.25})
    reporter.progress(1, 2, "training")
    assert capsys.readouterr().err == "training: 1 of 2  loss 0.25\n"
    reporter.progress(2, 2, "training")
    reporter.metrics(20, {"validation/macro_f1": 0.5})
    reporter.progress(1, 2, "predicting")
    assert capsys.readouterr().err.splitlines()[-1] == "predicting: 1 of 2"


def test_the_time_left_follows_the_pace_since_the_first_report():
    now = iter([0.0, 60.0, 60.0, 120.0, 121.0, 130.0])
    left = TimeLeft(lambda: next(now))
    assert left.words(500, 1000, "LoRA") == "", "taken up at 500: no pace yet"
    assert left.words(510, 1000, "LoRA") == "49 min left"
    assert left.words(1, 10, "features") == ""
    assert left.words(999, 1000, "LoRA") == "1 s left"
    assert left.words(1000, 1000, "LoRA") == ""
    assert left.words(0, 1000, "LoRA") == "", "another job of this name"


def test_the_demo_takes_its_products_from_the_command_line_and_not_beside_a_catalogue(monkeypatch, tmp_path, capsys):
    from orchestration.jobs import demo

    drawn = []

    def run_demo(settings, **arguments):
        drawn.append((settings.demo_products, arguments["faults"]))
        return dict.fromkeys(set(results.declared()["demo"]) - {"seconds"})

    monkeypatch.setattr(demo, "run_demo", run_demo)
    assert run(["demo", "--products", "400"]) == 0
    assert run(["demo"]) == 0
    assert run(["demo", "--no-faults"]) == 0
    assert drawn == [(400, None), (3600, None), (3600, False)]
    for option in (["--products", "400"], ["--faults"]):
        assert run(["demo", *option, "--catalog", str(tmp_path)]) == 1
        assert "Leave one out." in capsys.readouterr().err
