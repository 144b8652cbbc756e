"""A round by hand on a real Label Studio: opened, killed, opened again, voted in, pulled, closed, reported."""

import json
import os
import re
import secrets
import shlex
import stat
from pathlib import Path

import pytest

from catalog.errors import SelvedgeError
from labeling.review.label_page import ballot_result
from labeling.review.label_studio import LabelStudio
from labeling.review.label_studio.accounts import AnnotatorExists
from labeling.review.rounds import opening
from orchestration.cli.main import run
from orchestration.registry.ledger import open_ledger
from orchestration.runtime.label_studio import add_annotator, connect, store_token
from orchestration.runtime.services import links
from orchestration.runtime.settings import Settings
from tests.e2e.console import command_block

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.xdist_group("label-studio"),
    pytest.mark.timeout(900),
]


@pytest.fixture
def review(capsys):
    """`selvedge review …` in this process: its result, or its sentence and exit code."""

    def command(*arguments: str, fails: bool = False):
        code = run(["review", *arguments, "--json"])
        told = capsys.readouterr()
        assert (code == 1) == fails, told.err
        return told.err if fails else json.loads(told.out)

    return command


@pytest.fixture
def by_hand(trained, monkeypatch):
    """The commands below `selvedge up`, for which the session's server stands, typed beside `run` and `catalog`.

    Returns:
        name of the command → its words with the round's name put in.
    """
    monkeypatch.chdir(trained.folder.parent)
    up, *lines = command_block("cli.md", "selvedge up").splitlines()
    assert up.startswith("selvedge up ")
    typed = {words[2]: words[2:] for words in (shlex.split(line, comments=True) for line in lines)}
    assert list(typed) == ["annotator", "open", "sync", "status", "close", "report"]

    def words(command: str, name: str = "") -> list[str]:
        shown = re.compile(r"blip2-attributes-by-hand-[0-9a-f]{6}-r1")
        assert not name or (shown.fullmatch(name) and shown.fullmatch(typed[command][1]))
        return [shown.sub(name, word) for word in typed[command]]

    return words


def votes_of_strangers(server: LabelStudio, project: int, accounts: int, pairs: int) -> None:
    """One person with several accounts that the server made and nobody listed; each votes on the first pairs."""
    tasks = sorted({one.task_id for one in server.pull_annotations(project)})[:pairs]
    for _ in range(accounts):
        account = server.create_annotator(f"sock-{secrets.token_hex(4)}@example.com")
        sock = LabelStudio(server.url, account.token)
        for task in tasks:
            sock.annotate(task, ballot_result("left"), lead_time_seconds=9.0)


def test_a_round_by_hand_from_the_model_to_the_page(home, trained, review, by_hand, monkeypatch, tmp_path):
    assert review(*by_hand("annotator"))["email"] == "anna@example.com"
    told = {link.name: link for link in links(home)}["label-studio"]
    assert (told.state, told.url) == ("running", home.label_studio_uri)
    # A random model is never right, so there is nothing to plant an error in.
    wanted = (*by_hand("open"), "--items", "8", "--gold", "0")

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(opening, "keep", killed)
        assert run(["review", *wanted]) == 130
    opened = review(*wanted)
    name = opened["round"]
    assert opened["resumed"] and opened["opponent"] == "base" and opened["pairs"] == 8 + 1 + 1
    assert review(*wanted) | {"seconds": 0} == opened | {"seconds": 0}, "opening again adds nothing"
    server = connect(home)
    project = open_ledger(home).round(name).project_id
    assert server.counter(project).tasks == 10 and opened["link"] == server.project_url(project)

    assert "not decided" in review(*by_hand("close", name), fails=True)
    assert "scripted annotators are no people" in review("vote", name, fails=True)
    voted = review("vote", name, "--simulated", "--raters", "3", "--preference", "1")
    assert sorted(voted["votes"].values()) == [10, 10, 10]
    first, again = review(*by_hand("sync", name)), review(*by_hand("sync", name))
    assert (first["new"], again["new"], again["corrected"], first["void"]) == (30, 0, 0, [])
    assert "its report would tell the sides" in review("report", name, "--out", str(tmp_path / "page.html"), fails=True)
    status = review(*by_hand("status", name))
    assert status["ballots"] | {"void": 0} == status["ballots"] and status["ballots"]["plain"] == 24
    votes_of_strangers(server, project, accounts=4, pairs=2)
    attacked = review(*by_hand("sync", name))
    assert (attacked["new"], len(attacked["void"])) == (0, 8)
    assert all("of an account that `selvedge review annotator add` did not make" in one for one in attacked["void"])
    after = review(*by_hand("status", name))
    assert after["ballots"] == status["ballots"] | {"void": 8}
    assert {key for key in status if after[key] != status[key]} <= {"ballots", "pulled", "seconds"}
    closed = review("close", name, "--undecided")
    assert closed["simulated"] and sum(closed["ballots"].values()) == 24
    page = review(*by_hand("report", name), "--out", str(tmp_path / "page.html"))["report"]
    text = Path(page).read_text()
    assert name in text and "scripted annotators" in text and not re.findall(r"src=\"(?!data:)", text)
    assert "nobody can vote" in review("vote", name, "--simulated", fails=True)


def test_a_project_that_was_deleted_is_told_and_the_round_can_still_be_closed(home, trained, review):
    models = ("--model", str(trained.folder), "--catalog", str(trained.catalog))
    name = review("open", "blip2-attributes", *models, "--items", "5", "--gold", "0", "--kind", "descriptions")["round"]
    review("vote", name, "--simulated", "--raters", "3", "--ballots", "2")
    assert review("sync", name)["new"] == 6
    connect(home).delete_project(open_ledger(home).round(name).project_id)
    assert "already pulled are kept" in review("sync", name, fails=True)
    assert review("close", name, "--offline", "--undecided")["outcome"] == "inconclusive"


def test_an_annotator_has_one_account_and_a_password_only_its_owner_reads(home, review):
    email = f"anna-{os.getpid()}@shop.example"
    added = review("annotator", "add", email)
    place = home.secrets / "annotators" / f"{email}.json"
    assert added["password_file"] == str(place) and stat.S_IMODE(place.stat().st_mode) == 0o600
    password = json.loads(place.read_text())["password"]
    assert password not in json.dumps(added) and connect(home).sign_in(email, password).email == email
    with pytest.raises(AnnotatorExists, match="exists already"):
        add_annotator(home, email)
    assert json.loads(place.read_text())["password"] == password
    assert "is not an e-mail address" in review("annotator", "add", "nobody", fails=True)
    assert not (home.secrets / "annotators" / "nobody.json").exists()


def test_a_team_server_takes_a_stored_token_and_refuses_a_wrong_one(label_studio, tmp_path):
    from infra.local.label_studio import ensure_account

    token = ensure_account(label_studio.secrets).token
    team = Settings(home=tmp_path / "team", label_studio=label_studio.url)
    with pytest.raises(SelvedgeError, match="refused the token; run `selvedge review login`"):
        store_token(team, "0" * 40)
    assert not team.secrets.exists()
    assert store_token(team, f"{token}\n") == "selvedge@localhost.local"
    assert connect(team).ping().email == "selvedge@localhost.local"
    assert stat.S_IMODE((team.secrets / "label-studio-token").stat().st_mode) == 0o600
