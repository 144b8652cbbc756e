"""`selvedge up`: real services with one link each, gone with the command however it ends."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import httpx
import psutil
import pytest

from tests.e2e.databases import begin_home
from tests.e2e.label_studio_home import ENVIRONMENTS
from tests.ports import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def up(tmp_path):
    """The command, running; and what it printed once everything answered."""
    names = ("MLFLOW", "DAGSTER", "LABEL_STUDIO")
    ports = {f"SELVEDGE_{name}_PORT": str(free_port()) for name in names}
    ports["SELVEDGE_LABEL_STUDIO_ENVIRONMENTS"] = str(ENVIRONMENTS)
    with (tmp_path / "told").open("w") as told:
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestration.cli", "up", "--json"],
            stdout=subprocess.PIPE,
            stderr=told,
            text=True,
            cwd=ROOT,
            env={**os.environ, "SELVEDGE_HOME": str(begin_home(tmp_path / "home")), **ports},
        )
    line = process.stdout.readline()
    assert line, (tmp_path / "told").read_text()
    family = psutil.Process(process.pid).children(recursive=True)
    yield process, json.loads(line), family, tmp_path
    if process.poll() is None:
        process.kill()
    for child in family:
        if child.is_running():
            child.kill()


def gone(family, seconds=40):
    _, alive = psutil.wait_procs(family, timeout=seconds)
    return [child for child in alive if child.status() != psutil.STATUS_ZOMBIE]


def opened(link):
    """The page behind a link, in a browser that keeps cookies."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    return browser.open(urllib.request.Request(link, headers={"Accept": "text/html"}), timeout=60)


def strangers_are_refused(mlflow, dagster):
    """Neither without the token, nor for another page, nor under another name; by the token everything."""
    asked = {"query": "{ version }"}
    own = {"Authorization": f"Bearer {dagster[2]}"}
    graphql = f"{dagster[0]}/graphql"
    experiments = f"{mlflow[0]}/api/2.0/mlflow/experiments/search"
    for place, content in ((graphql, asked), (experiments, {"max_results": 5})):
        allowed = httpx.post(place, json=content, headers=own)
        assert allowed.status_code == 200, allowed.text
        for headers in (
            {},
            {**own, "Host": "evil.example"},
            {**own, "Origin": "http://evil.example"},
            {**own, "Sec-Fetch-Site": "same-site"},
            {"Authorization": "Bearer guessed"},
        ):
            refused = httpx.post(place, json=content, headers=headers)
            assert refused.status_code == 403 and refused.text.count("\n") <= 1, (headers, refused.text)
    assert "open the link that `selvedge up` prints" in httpx.get(f"{dagster[0]}/runs").text
    form = httpx.post(graphql, content=json.dumps(asked), headers={**own, "Content-Type": "text/plain"})
    assert form.status_code == 415
    assert "version" in httpx.post(graphql, json=asked, headers=own).json()["data"]


def refused_second(home: Path) -> str:
    """What another `up` on the same home says."""
    ended = subprocess.run(
        [sys.executable, "-m", "orchestration.cli", "up"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "SELVEDGE_HOME": str(home)},
        timeout=90,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    return ended.stderr


def wait_for_line(process: subprocess.Popen[str], told: Path, line: str) -> None:
    deadline = time.monotonic() + 120
    while line not in told.read_text():
        assert process.poll() is None and time.monotonic() < deadline, told.read_text()
        time.sleep(0.5)


def test_every_link_answers_a_killed_server_comes_back_and_interrupting_stops_all(up):
    process, values, family, folder = up
    home, told = folder / "home", folder / "told"
    assert {service["name"]: service["state"] for service in values["services"]} == {
        "mlflow": "running",
        "label-studio": "running",
        "dagster-code-server": "running",
        "dagster-webserver": "running",
        "dagster-daemon": "running",
        "mlflow-proxy": "running",
        "label-studio-proxy": "running",
        "dagster-proxy": "running",
    }
    for service in values["services"]:
        if service["url"]:
            with opened(service["url"]) as page:
                assert page.status == 200 and "token=" not in page.url
    strangers_are_refused(*(service["url"].partition("/?token=") for service in values["services"][:4:3]))
    inner = json.loads((home / "label-studio" / "label-studio.pid").read_text())["port"]
    assert httpx.get(f"http://127.0.0.1:{inner}/user/login/").status_code == 403  # the proxy alone is answered
    assert (home / "dagster" / "dagster.yaml").exists()
    holder = f"another process is running `selvedge up` on {home} (process {process.pid}, since"
    assert holder in refused_second(home)

    mlflow = psutil.Process(json.loads((home / "mlflow" / "mlflow.pid").read_text())["pid"])
    of_mlflow = [mlflow, *mlflow.children(recursive=True)]
    of_mlflow += [child for child in family if str(home / "logs" / "mlflow.log") in child.cmdline()]  # writes its log
    code = psutil.Process(json.loads((home / "dagster" / "dagster-code-server.pid").read_text())["pid"])
    of_code = [code, *code.children(recursive=True)]
    of_code += [child for child in family if str(home / "logs" / "dagster-code-server.log") in child.cmdline()]
    mlflow.kill()
    code.kill()
    for name in ("mlflow", "dagster-code-server"):
        wait_for_line(process, told, f"{name} runs again.")
        assert f"selvedge: {name} was ended by SIGKILL; " in told.read_text()
    killed = {*of_mlflow, *of_code}
    assert gone(killed, 1) == [] and all(child.is_running() for child in set(family) - killed)
    with opened(values["services"][0]["url"]) as page:
        assert page.status == 200

    everything = [*family, *psutil.Process(process.pid).children(recursive=True)]
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=90) == 130
    assert len(family) >= 4 and gone(everything, 5) == []
    assert process.stdout.read() == "" and "Traceback" not in told.read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux's")
def test_killing_it_leaves_nothing_behind(up):
    process, _, family, _ = up
    process.kill()
    assert gone(family) == []
