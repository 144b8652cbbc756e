"""`up --print`: a unit that systemd takes, a Compose file that says what it should, no secret in either."""

import os
import re
import shlex
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

from orchestration.cli.main import run
from orchestration.families.settings import family_fields
from orchestration.runtime import units
from orchestration.runtime.settings import READ_BY_TRAINING, Settings

SECRET = "hush-hush"


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / 'a "home" of 50% $HOME'
    (tmp_path / "feed.yaml").write_text("table: feed.csv\ncolumns: {id: id, productDisplayName: name}\nimage: file\n")
    monkeypatch.chdir(tmp_path)
    variables = {
        "SELVEDGE_HOME": str(home),
        "SELVEDGE_LABEL_STUDIO": "off",
        "SELVEDGE_MAPPING": "feed.yaml",
        "SELVEDGE_SCHEDULE_REPORT": "0 7 * * 1-5",
        "SELVEDGE_LEDGER": f"postgresql+psycopg://ann:{SECRET}@db/ledger",
        "SELVEDGE_ALERT_TOKEN": SECRET,
        "SELVEDGE_ALERT_WEBHOOK": f"https://chat.example/{SECRET}",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "eu-central-1",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return home


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str], environment: Path):
    def text(form: str) -> str:
        assert run(["up", "--print", form]) == 0
        out, err = capsys.readouterr()
        assert SECRET not in out + err and not environment.exists()
        return out

    return text


def lines_of(unit: str, name: str) -> list[str]:
    return [line.removeprefix(f"{name}=") for line in unit.splitlines() if line.startswith(f"{name}=")]


def as_systemd_reads(word: str) -> str:
    return shlex.split(word.replace("%%", "%").replace("$$", "$"))[0]


def test_the_unit_starts_this_program_with_these_settings_and_names_secrets(printed, environment, tmp_path):
    unit = printed("systemd")
    variables = dict(as_systemd_reads(line).split("=", 1) for line in lines_of(unit, "Environment"))
    assert variables["SELVEDGE_HOME"] == str(environment)
    assert variables["SELVEDGE_MAPPING"] == str(tmp_path / "feed.yaml"), "from whatever folder it is started"
    assert variables["AWS_DEFAULT_REGION"] == "eu-central-1" and variables["SELVEDGE_SCHEDULE_REPORT"] == "0 7 * * 1-5"
    assert "(AWS_SECRET_ACCESS_KEY, SELVEDGE_ALERT_TOKEN, SELVEDGE_ALERT_WEBHOOK, SELVEDGE_LEDGER)" in unit
    program = shlex.split(lines_of(unit, "ExecStart")[0])
    assert Path(program[0]).is_absolute() and os.access(program[0], os.X_OK) and program[-1] == "up"
    for name, value in {
        "UMask": "0077", "KillMode": "mixed", "KillSignal": "SIGTERM", "SuccessExitStatus": "130",
        "Restart": "on-failure", "EnvironmentFile": "-%h/.config/selvedge/secrets.env", "WantedBy": "default.target",
    }.items():  # fmt: skip
        assert lines_of(unit, name) == [value]


def test_a_file_of_secrets_that_others_may_read_is_refused_before_the_start(printed, tmp_path):
    (check,) = lines_of(printed("systemd"), "ExecStartPre")
    command = shlex.split(check.replace("%h", str(tmp_path)).replace("%%", "%").replace("$$", "$"))
    assert subprocess.run(command, check=False).returncode == 0, "there is none"
    file = tmp_path / ".config" / "selvedge" / "secrets.env"
    file.parent.mkdir(parents=True)
    file.touch(0o600)
    assert subprocess.run(command, check=False).returncode == 0
    file.chmod(stat.S_IRUSR | stat.S_IWUSR | stat.S_IRGRP)
    refused = subprocess.run(command, check=False, capture_output=True, text=True)
    assert refused.returncode == 1 and refused.stderr == f"{file} is open to others; run chmod 600 on it\n"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_the_unit(printed, tmp_path):
    unit = tmp_path / "selvedge.service"
    unit.write_text(printed("systemd"))
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    command = ["systemd-analyze", "--user", "verify", str(unit)]
    verified = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")


def test_the_compose_file_has_postgresql_and_all_services_and_no_secret(printed):
    text = printed("compose")
    content = yaml.safe_load(text)
    assert set(content) == {"name", "services", "volumes"} and set(content["services"]) == {"postgres", "selvedge"}
    database, selvedge = content["services"]["postgres"], content["services"]["selvedge"]
    assert database["ports"] == ["127.0.0.1:5432:5432"] and "&" not in text.partition("dockerfile")[0]
    assert selvedge["depends_on"] == {"postgres": {"condition": "service_healthy"}} and selvedge["command"][-1] == "up"
    variables = selvedge["environment"]
    assert variables.pop(units.DATABASE).startswith("postgresql://selvedge:${POSTGRES_PASSWORD:?")
    assert variables["SELVEDGE_HOME"] == "/data" and "SELVEDGE_MAPPING" not in variables, "a file of this machine"
    known = {f"SELVEDGE_{name.upper()}" for name in {*Settings.model_fields, *family_fields(), *READ_BY_TRAINING}}
    assert {name for name in variables if name.startswith("SELVEDGE_")} <= known
    assert "needs POSTGRES_PASSWORD, AWS_SECRET_ACCESS_KEY, SELVEDGE_ALERT_TOKEN" in text.replace("\n# ", " ")
    used = {name for one in (database, selvedge) for volume in one["volumes"] for name in [volume.partition(":")[0]]}
    assert used == set(content["volumes"])
    for service in (database, selvedge):
        assert {"healthcheck", "logging", "restart"} <= set(service)
    unescaped = re.findall(r"(?<!\$)\$(?![\${])", text)
    assert unescaped == []


def test_the_image_copies_what_pip_installs_and_no_home(printed):
    built = yaml.safe_load(printed("compose"))["services"]["selvedge"]["build"]
    copied = re.findall(r"^COPY (\S+) /src/\1$", built["dockerfile_inline"], re.MULTILINE)
    root = Path(built["context"])
    packages = {path.parent.name for path in root.glob("*/__init__.py")} - {"tests", "tools", "benchmarks"}
    assert packages | {"models", "pyproject.toml", "constraints.txt"} <= set(copied)
    assert all((root / name).exists() and not name.startswith(".") for name in copied)


def test_a_file_is_no_json_and_a_bad_setting_prints_none(capsys, monkeypatch):
    assert run(["up", "--print", "systemd", "--json"]) == 1
    monkeypatch.setenv("SELVEDGE_SCHEDULE_RETRAINING", "no-such on")
    assert run(["up", "--print", "compose"]) == 1
    out, err = capsys.readouterr()
    assert out == "" and "names the family 'no-such', which is unknown" in err
    assert run(["up", "--print", "kubernetes"]) == 2
