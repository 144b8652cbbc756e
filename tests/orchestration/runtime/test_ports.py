"""Ports that nobody named: the next free one where another program has the usual one, which every command finds."""

import json
import os
import socket
from contextlib import ExitStack

import psutil
import pytest

from orchestration.families.settings import load_settings
from orchestration.runtime import label_studio, ports
from orchestration.runtime.ports import as_running, free_ports
from orchestration.runtime.settings import Settings


@pytest.fixture
def taken(monkeypatch):
    """A port on which this test listens, as another program would; the variables that are set meanwhile go again."""
    for field in ports.PORTS:
        monkeypatch.setenv(f"SELVEDGE_{field.upper()}", "1")
        monkeypatch.delenv(f"SELVEDGE_{field.upper()}")
    with ExitStack() as held:
        listener = held.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def with_usual(settings: Settings, **usual: int) -> Settings:
    """Settings whose usual ports are these: nobody named them."""
    return settings.model_copy(update=usual).model_construct(
        _fields_set=settings.model_fields_set, **{**settings.__dict__, **usual}
    )


def test_the_next_free_port_is_taken_and_told_and_given_to_those_that_are_started(tmp_path, taken):
    usual = with_usual(Settings(home=tmp_path), mlflow_port=taken, dagster_port=taken + 1, label_studio_port=taken)
    told = []
    moved = free_ports(usual, told.append)
    numbers = {moved.mlflow_port, moved.dagster_port, moved.label_studio_port}
    assert len(numbers) == 3 and taken not in numbers and moved.dagster_port == taken + 1
    assert told[0].startswith(f"port {taken}, the usual one of mlflow, is in use by another program (")
    assert f"process {os.getpid()}); mlflow is at port {moved.mlflow_port} this time. SELVEDGE_MLFLOW_PORT" in told[0]
    assert os.environ["SELVEDGE_MLFLOW_PORT"] == str(moved.mlflow_port) and "SELVEDGE_DAGSTER_PORT" not in os.environ
    assert len(told) == 2


def test_a_port_that_the_operator_named_is_left_to_be_refused(tmp_path, taken):
    named = Settings(home=tmp_path, mlflow_port=taken, label_studio="off", tracking_uri=None)
    usual = with_usual(named, dagster_port=taken + 1)
    assert free_ports(usual, pytest.fail) == usual


def test_a_server_of_somebody_else_needs_no_port(tmp_path, taken):
    settings = Settings(home=tmp_path, tracking_uri="http://m.example", label_studio="off")
    usual = with_usual(settings, mlflow_port=taken, label_studio_port=taken, dagster_port=taken + 1)
    assert free_ports(usual, pytest.fail) == usual


def test_every_command_finds_the_port_of_the_door_that_listens_now(tmp_path, monkeypatch):
    monkeypatch.setenv("SELVEDGE_HOME", str(tmp_path))
    me, door = psutil.Process(), tmp_path / "proxy" / "mlflow-proxy.pid"
    door.parent.mkdir()
    recorded = {"pid": me.pid, "created": me.create_time(), "port": 5077, "mark": ""}
    door.write_text(json.dumps(recorded))
    assert (load_settings().mlflow_port, load_settings().dagster_port) == (5077, 3000)
    assert as_running(Settings(home=tmp_path, mlflow_port=5050)).mlflow_port == 5050, "the operator named it"
    door.write_text(json.dumps({**recorded, "created": 1.0}))
    assert load_settings().mlflow_port == 5050, "of a process that is gone"


def test_what_this_home_left_on_a_port_is_no_other_program(tmp_path, taken):
    me, pid_file = psutil.Process(), tmp_path / "mlflow" / "mlflow.pid"
    pid_file.parent.mkdir()
    pid_file.write_text(json.dumps({"pid": me.pid, "created": me.create_time(), "port": taken}))
    usual = with_usual(Settings(home=tmp_path, label_studio="off"), mlflow_port=taken, dagster_port=taken + 1)
    assert free_ports(usual, pytest.fail).mlflow_port == taken


def test_the_local_label_studio_stays_the_same_server_at_another_port(tmp_path):
    _, password = label_studio._password(Settings(home=tmp_path, label_studio_port=8080), "Anna@shop.example")
    assert label_studio._password(Settings(home=tmp_path, label_studio_port=8081), "anna@shop.example")[1] == password
    team = Settings(home=tmp_path, label_studio="https://labels.example")
    assert label_studio._stored_password(team, "anna@shop.example") is None
