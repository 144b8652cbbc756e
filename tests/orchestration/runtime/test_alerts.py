"""Channels of alerts and their secrets: from the environment, or from a file that its owner alone may read."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from catalog.errors import SelvedgeError
from infra import alert_channels
from orchestration.cli import doctor_command
from orchestration.cli.main import run
from orchestration.families.settings import load_settings
from orchestration.runtime.alerts import Alert, channels, check_channels, send, tell
from orchestration.runtime.settings import Settings
from tests.mail_server import MailServerForTests
from tests.ports import free_port

SECRET = "s3cret"
ALERT = Alert("catalog/images of one failed", ("1.jpg is missing; add it.",), "http://127.0.0.1:3000")


def secret_file(folder: Path, content: str = f"{SECRET}\n", mode: int = 0o600) -> Path:
    file = folder / "secret"
    file.write_text(content)
    file.chmod(mode)
    return file


def refused(**settings: Any) -> str:
    with pytest.raises(SelvedgeError) as raised:
        check_channels(Settings(alert_mail="ops@shop.example", **settings))
    assert SECRET not in str(raised.value) and "\n" not in str(raised.value)
    return str(raised.value)


def test_nobody_is_told_by_default_and_what_is_set_is_a_channel(tmp_path):
    assert channels(Settings()) == []
    hook = secret_file(tmp_path, "https://hooks.example/x\n")
    made = Settings(alert_webhook_file=hook, alert_mail="a@x.example, b@x.example")
    assert channels(made) == ["webhook", "mail"] and made.alert_mail == "a@x.example,b@x.example"
    check_channels(made)


def test_a_secret_that_others_may_read_is_refused_with_the_command(tmp_path):
    file = secret_file(tmp_path, mode=0o640)
    sentence = refused(alert_smtp_user="me", alert_smtp_password_file=file)
    assert f"run `chmod 600 {file}`" in sentence


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "cannot be read"), ("", "one line"), (f"{SECRET}\nmore", "one line"), (SECRET, "holds no address")],
)
def test_a_file_that_holds_no_address_is_told(tmp_path, content, sentence):
    file = tmp_path / "missing" if content is None else secret_file(tmp_path, content)
    assert sentence in refused(alert_webhook_file=file)


def test_a_setting_that_is_given_twice_or_in_part_is_told(tmp_path):
    file, given = secret_file(tmp_path), SecretStr(SECRET)
    assert "are both set" in refused(alert_smtp_password=given, alert_smtp_password_file=file)
    assert "lacks SELVEDGE_ALERT_SMTP_USER" in refused(alert_smtp_password=given)
    assert "lacks SELVEDGE_ALERT_SMTP_PASSWORD_FILE" in refused(alert_smtp_user="me")


def test_a_token_does_not_travel_in_the_open():
    hook = SecretStr("http://hooks.example/x")
    assert "would travel in the open" in refused(alert_webhook=hook, alert_token=SecretStr(SECRET))
    check_channels(Settings(alert_webhook=SecretStr("http://127.0.0.1:9/x"), alert_token=SecretStr(SECRET)))


@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("ALERT_WEBHOOK", f"hooks.example/{SECRET}", "cannot be what it is set to: it is an address"),
        ("ALERT_MAIL", "ops", "it is mail addresses"),
        ("ALERT_MAIL", "ops@shop.example\nBcc: all@shop.example", "it is mail addresses"),
        ("ALERT_SMTP", f"smtp://me:{SECRET}@mail.example:587", "cannot be what it is set to: it is an address without"),
        ("ALERT_SMTP", "mail.example:587", "it is written smtp://host:587"),
        ("ALERT_HOURS", "0", "greater than 0"),
        ("FRESH_HOURS", "-1", "greater than 0"),
        ("DROP_EVERY_DAYS", "often", "valid number"),
        ("ALERT_WEBHOK", "https://x.example", "did you mean SELVEDGE_ALERT_WEBHOOK?"),
    ],
)
def test_a_setting_that_cannot_be_is_one_sentence_without_its_secret(monkeypatch, setting, value, sentence):
    monkeypatch.setenv(f"SELVEDGE_{setting}", value)
    with pytest.raises(SelvedgeError) as raised:
        load_settings()
    assert sentence in str(raised.value) and SECRET not in str(raised.value)


def test_settings_shown_keep_their_secrets():
    shown = repr(Settings(alert_webhook=SecretStr(f"https://x.example/{SECRET}"), alert_token=SecretStr(SECRET)))
    assert SECRET not in shown


def test_doctor_sends_a_test_over_every_channel(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SELVEDGE_HOME", str(tmp_path))
    monkeypatch.setenv("SELVEDGE_LABEL_STUDIO", "off")
    monkeypatch.setattr(doctor_command, "CHECKS", {})
    assert run(["doctor", "--test-alert"]) == 1
    assert "nobody is to be told" in capsys.readouterr().out
    with MailServerForTests() as server:
        monkeypatch.setenv("SELVEDGE_ALERT_MAIL", "ops@shop.example")
        monkeypatch.setenv("SELVEDGE_ALERT_SMTP", server.address)
        assert run(["doctor", "--test-alert"]) == 0
    assert server.mails[0]["subject"] == "[selvedge] A test of alerts"


def test_an_alert_goes_by_mail_with_its_link_and_a_channel_that_fails_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(alert_channels, "WAITS", (0.0, 0.0))
    hook = SecretStr(f"http://127.0.0.1:{free_port()}/{SECRET}")
    with MailServerForTests() as server:
        settings = Settings(home=tmp_path, alert_webhook=hook, alert_mail="ops@shop.example", alert_smtp=server.address)
        troubles = tell(settings, ALERT)
        send(settings, "mail", ALERT)
    assert troubles["mail"] == "" and "does not answer" in troubles["webhook"] and SECRET not in troubles["webhook"]
    mail = server.mails[0]
    assert mail["subject"] == "[selvedge] catalog/images of one failed" and mail["from"] == "ops@shop.example"
    assert mail.get_content().split() == [*ALERT.lines[0].split(), ALERT.link]
