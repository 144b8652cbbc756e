"""`selvedge review`: every command that can fail without a server says why in one sentence, and leaves nothing."""

import json
import stat
from dataclasses import replace

import pytest

from catalog.errors import SelvedgeError, ServiceUnavailable
from evaluation.preference_plan import PreferencePlan
from labeling.review.rounds.judging import close_round
from labeling.review.rounds.simulation import Panel, Simulated, simulate_rounds
from orchestration.cli.main import run
from orchestration.families.settings import load_settings
from orchestration.registry.ledger import open_ledger
from orchestration.runtime import label_studio
from orchestration.runtime.label_studio import _password, connect, store_token
from orchestration.runtime.settings import Settings
from tests.labeling.review.rounds.paper_studio import PaperStudio
from tests.labeling.review.rounds_for_tests import listed
from tests.orchestration.drawn_round import NAME, opened, voted, votes
from tests.orchestration.paper_reviews import as_held
from tests.ports import free_port


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SELVEDGE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SELVEDGE_LABEL_STUDIO_PORT", str(free_port()))
    return load_settings()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("status nowhere", "there is no round 'nowhere'"),
        ("sync nowhere", "there is no round 'nowhere'"),
        ("close nowhere", "there is no round 'nowhere'"),
        ("report nowhere", "there is no round 'nowhere'"),
        ("vote nowhere --simulated", "there is no round 'nowhere'"),
        ("vote nowhere", "scripted annotators are no people"),
        ("open blip2-attribute some", "family 'blip2-attribute' is unknown; did you mean blip2-attributes?"),
        ("open blip2-attributes", "name a registered candidate, or give --model FOLDER"),
        ("open blip2-attributes c --model m --catalog c", "name a registered candidate, or give --model FOLDER"),
        ("open blip2-attributes --model m", "--model needs --catalog DIR"),
        ("open blip2-attributes c --champion m", "--champion and --catalog go with --model"),
        ("open blip2-attributes c --plan nowhere.yaml", "plan nowhere.yaml cannot be read (No such file"),
        ("open blip2-attributes c", "was never started; start it with `selvedge up`"),
        ("annotator add anna@shop.example", "was never started; start it with `selvedge up`"),
        ("login --token-file nowhere", "nowhere cannot be read"),
        ("simulate --preference 0.7 --rounds 1 --ties 2", None),
    ],
)
def test_bad_input_is_one_sentence(home, capsys, arguments, told):
    code = run(["review", *arguments.split()])
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if line]
    assert code == (1 if told else 2) and captured.out == "" and len(lines) == 1, captured.err
    assert told is None or told in lines[0]


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ("alpha: 3", "the plan's alpha is 3"),
        ("ballots: 5", "setting 'ballots' is unknown; did you mean 'ballots_cap'?"),
        ("[1, 2]", "plan.yaml is not a mapping"),
        ("alpha: {", "it is not YAML"),
        ("alpha: .nan", "give a finite number"),
    ],
)
def test_a_plan_with_a_rule_that_is_none_is_refused(home, tmp_path, capsys, rule, sentence):
    (tmp_path / "plan.yaml").write_text(rule)
    assert run(["review", "open", "blip2-attributes", "c", "--plan", str(tmp_path / "plan.yaml")]) == 1
    assert sentence in capsys.readouterr().err


def test_label_studio_off_or_down_is_told(tmp_path):
    with pytest.raises(SelvedgeError, match="Label Studio is off; unset SELVEDGE_LABEL_STUDIO"):
        connect(Settings(home=tmp_path, label_studio="off"))
    team = Settings(home=tmp_path, label_studio=f"http://127.0.0.1:{free_port()}", label_studio_token="a" * 40)
    with pytest.raises(ServiceUnavailable, match=r"Label Studio at 127\.0\.0\.1:\d+ does not answer"):
        connect(team, patience_seconds=0.3)


def test_a_team_server_without_a_token_says_how_to_give_one(tmp_path):
    settings = Settings(home=tmp_path, label_studio="http://127.0.0.1:1")
    with pytest.raises(SelvedgeError, match="no token is stored; run `selvedge review login`, or set SELVEDGE_LABEL"):
        connect(settings)
    named = Settings(home=tmp_path, label_studio="http://127.0.0.1:1", label_studio_token_file=tmp_path / "nowhere")
    with pytest.raises(SelvedgeError, match=r"SELVEDGE_LABEL_STUDIO_TOKEN_FILE names .*nowhere, which cannot be read"):
        connect(named)
    with pytest.raises(SelvedgeError, match="only a team's Label Studio wants a token"):
        store_token(Settings(home=tmp_path), "a" * 40)


def test_no_secret_is_ever_shown(tmp_path):
    settings = Settings(home=tmp_path, label_studio_token="hush-hush", ledger="postgresql://me:hush-hush@host/db")
    assert "hush-hush" not in repr(settings) and "hush-hush" not in str(settings.model_dump())


@pytest.mark.parametrize("address", ["nonsense", "mysql://me:hush@host/db", "what://me:hush@host/db"])
def test_a_ledger_that_is_no_database_is_told_without_its_password(tmp_path, address):
    with pytest.raises(SelvedgeError, match=r"^setting SELVEDGE_LEDGER ") as told:
        open_ledger(Settings(home=tmp_path, ledger=address))
    assert "hush" not in str(told.value)


@pytest.mark.parametrize("value", ["on", "127.0.0.1:8080", "ftp://x"])
def test_an_address_that_is_none_is_refused(monkeypatch, value):
    monkeypatch.setenv("SELVEDGE_LABEL_STUDIO", value)
    with pytest.raises(SelvedgeError, match=r"setting SELVEDGE_LABEL_STUDIO cannot be .*: it is local, off, or an"):
        load_settings()


@pytest.mark.parametrize("page", ["/projects/1/data", "/projects/?page=1", "/", ""])
def test_an_address_copied_from_the_browser_is_the_servers(monkeypatch, page):
    monkeypatch.setenv("SELVEDGE_LABEL_STUDIO", f"https://labels.shop.example/studio{page}")
    assert load_settings().label_studio_uri == "https://labels.shop.example/studio"


def test_two_annotators_whose_names_look_alike_have_a_password_each(home):
    (one, first), (two, second) = (_password(home, name) for name in ("o'brien@example.com", "o_brien@example.com"))
    assert one != two and first != second


def test_a_password_is_kept_for_its_owner_alone_and_given_again(home):
    place, password = _password(home, "Anna@Shop.example")
    assert stat.S_IMODE(place.stat().st_mode) == 0o600 and len(password) >= 12
    assert _password(home, "anna@shop.example") == (place, password)
    assert _password(home, "../../anna@shop.example")[0].parent == place.parent


def test_a_round_by_command_from_ballots_to_the_page(home, capsys):
    ledger = opened(home)
    voted(ledger, 0.85)

    def told(*arguments: str) -> dict:
        assert run(["review", *arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    status = told("status", NAME)
    assert status["rounds"][0]["state"] == "open" and status["ballots"]["plain"] > 100
    assert status["share"]["low"] < status["share"]["value"] < status["share"]["high"]
    closed = told("close", NAME, "--offline")
    assert closed["outcome"] == "preferred" and closed["simulated"]
    assert told("close", NAME)["evidence_sha256"] == closed["evidence_sha256"]
    assert told("status")["rounds"][0]["outcome"] == "preferred"
    page = told("report", NAME)["report"]
    assert page == str(home.home / "reports" / f"{NAME}.html")


def test_status_and_sync_say_whose_ballots_are_asked_again(home, capsys, monkeypatch):
    ledger = opened(home, overlap=3)
    cast = votes(ledger, 0.8, raters=2)
    hasty = [replace(one, rater="r9@simulated.invalid", side="left", seconds=0.5) for one in cast[::2]]
    cast += [replace(one, annotation_id=9000 + number) for number, one in enumerate(hasty)]
    listed(ledger, "r9@simulated.invalid")
    studio = PaperStudio({1: "Review"}, {1: []}, {1: [as_held(one) for one in cast]})
    studio.requests_sent = 0
    monkeypatch.setattr(label_studio, "connect", lambda settings: studio)

    def told(*arguments: str) -> dict:
        assert run(["review", *arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    assert told("sync", NAME)["asked_again"] == len(hasty) and told("sync", NAME)["asked_again"] == 0
    status = told("status", NAME)
    assert status["asked_again"] == {"r9@simulated.invalid": len(hasty)}
    assert f"{len(hasty)} ballots of r9@simulated.invalid are asked again of others." in status["reasons"]
    assert any(f"{len(hasty)} ballots wait for an annotator who has not voted" in one for one in status["reasons"])
    assert status["ballots"]["still_possible"] == 40 * 4 - 40 * 3


def test_status_says_when_the_tasks_will_not_suffice(home, capsys):
    voted(opened(home), 0.5, raters=3)
    assert run(["review", "status", NAME]) == 0
    assert "that will probably not decide it" in capsys.readouterr().out


def test_simulated_rounds_find_what_is_true_and_stay_silent_where_nothing_is():
    clear = simulate_rounds(0.85, rounds=60)
    assert clear.outcomes["preferred"] >= 57 and clear.decided_median < 250
    worse = simulate_rounds(0.15, rounds=30, panel=Panel(raters=6))
    assert worse.outcomes["not_preferred"] >= 28
    small = simulate_rounds(0.5, rounds=30, panel=Panel(items=10))
    assert small == Simulated({"inconclusive": 30}, 30.0, 30.0, None)  # under the quorum of products
    assert simulate_rounds(0.85, rounds=20) == simulate_rounds(0.85, rounds=20)
    with pytest.raises(SelvedgeError, match="--raters 3 is below the quorum of 5 of the plan"):
        simulate_rounds(0.85, rounds=20, panel=Panel(raters=3))
    assert simulate_rounds(0.85, 20, Panel(raters=3), PreferencePlan(minimum_raters=3)).outcomes["preferred"] >= 15


def test_a_simulated_round_is_no_stronger_than_what_raters_resemble_each_other():
    alone = simulate_rounds(0.65, 200, Panel(rater_icc=0.0, item_icc=0.0, ties=0.0))
    alike = simulate_rounds(0.65, 200, Panel(rater_icc=0.1, item_icc=0.3, ties=0.0))
    assert alone.outcomes["preferred"] > alike.outcomes["preferred"] + 20
    even = simulate_rounds(0.5, 400, Panel())
    assert even.outcomes.get("preferred", 0) + even.outcomes.get("not_preferred", 0) < 40


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"raters": 2}, "--raters 2 cannot give each pair 3 ballots"),
        ({"items": 0}, "--items 0 is too few"),
        ({"ties": 1.0}, "--ties is 1; it must be at least 0 and below 1"),
        ({"rater_icc": 0.5, "item_icc": 0.5}, "add up to 1 or more"),
    ],
)
def test_a_panel_that_cannot_be_is_refused(changes, sentence):
    with pytest.raises(SelvedgeError, match=sentence):
        Panel(**changes)


def test_a_verdict_is_not_changed_by_closing_again_with_other_words(home):
    ledger = opened(home)
    voted(ledger, 0.85)
    first = close_round(home.rounds(), ledger, NAME)
    assert close_round(home.rounds(), ledger, NAME, undecided=True) == first
