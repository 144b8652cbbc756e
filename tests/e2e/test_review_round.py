"""A round by hand on a real Label Studio: opened, killed, opened again, voted in, pulled, closed, reported."""

import json
import os
import re
import stat
from pathlib import Path

import pytest

from catalog.errors import SelvedgeError
from labeling.review.label_studio.accounts import AnnotatorExists
from labeling.review.rounds import opening
from orchestration.cli.main import run
from orchestration.registry.ledger import open_ledger
from orchestration.runtime.label_studio import add_annotator, connect, store_token
from orchestration.runtime.services import links
from orchestration.runtime.settings import Settings

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


def test_a_round_by_hand_from_the_model_to_the_page(home, trained, review, monkeypatch, tmp_path):
    told = {link.name: link for link in links(home)}["label-studio"]
    assert (told.state, told.url) == ("running", home.label_studio_uri)
    models = ("--model", str(trained.folder), "--catalog", str(trained.catalog))
    # A random model is never right, so there is nothing to plant an error in.
    wanted = ("open", "blip2-attributes", *models, "--items", "8", "--gold", "0")

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

    assert "not decided" in review("close", name, fails=True)
    assert "scripted annotators are no people" in review("vote", name, fails=True)
    voted = review("vote", name, "--simulated", "--raters", "3", "--preference", "1")
    assert sorted(voted["votes"].values()) == [10, 10, 10]
    first, again = review("sync", name), review("sync", name)
    assert (first["new"], again["new"], again["corrected"], first["void"]) == (30, 0, 0, [])
    assert "its report would tell the sides" in review("report", name, "--out", str(tmp_path / "page.html"), fails=True)
    status = review("status", name)
    assert status["ballots"] | {"void": 0} == status["ballots"] and status["ballots"]["plain"] == 24
    closed = review("close", name, "--undecided")
    assert closed["simulated"] and sum(closed["ballots"].values()) == 24
    page = review("report", name, "--out", str(tmp_path / "page.html"))["report"]
    text = Path(page).read_text()
    assert name in text and "scripted annotators" in text and not re.findall(r"src=\"(?!data:)", text)
    assert "nobody can vote" in review("vote", name, "--simulated", fails=True)


def test_a_project_that_was_deleted_is_told_and_the_round_can_still_be_closed(home, trained, review):
    models = ("--model", str(trained.folder), "--catalog", str(trained.catalog))
    name = review("open", "blip2-attributes", *models, "--items", "5", "--gold", "0", "--kind", "descriptions")["round"]
    review("vote", name, "--simulated", "--ballots", "2")
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
