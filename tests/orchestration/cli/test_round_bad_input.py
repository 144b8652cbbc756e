"""Bad input of a round: one sentence that names the thing, exit code 1, and nothing half done.

Belongs here: the services, candidates and names a round may be given. Not here: a plan's own figures
(tests/labeling/review/pairs/test_plan.py), options of the commands (test_review_commands.py), a gate that has no
verdict (tests/evaluation/test_gate_on_a_verdict.py, tests/e2e/test_review_road.py).
"""

import json
from datetime import timedelta
from types import SimpleNamespace

import pytest

from catalog.errors import SelvedgeError
from evaluation.gate import GateRule
from evaluation.preference_plan import PreferencePlan
from infra.local.label_studio import ensure_account
from labeling.review.label_studio import LabelStudio
from labeling.review.label_studio.accounts import AnnotatorExists, Credentials
from labeling.review.rounds.annotators import ScriptedAnnotator
from labeling.review.rounds.contest import Contest
from labeling.review.rounds.judging import close_round, sync_round, table_of
from labeling.review.rounds.opening import RoundRequest, open_round
from orchestration.cli.main import run
from orchestration.families.blip2_attributes.contest import AnswerContest, Rows, contest
from orchestration.families.registered import registered
from orchestration.families.settings import load_settings
from orchestration.registry.ledger import open_ledger
from orchestration.registry.promotion import promote
from orchestration.runtime import label_studio as server
from tests.labeling.review import rounds_for_tests as drawn
from tests.labeling.review.label_studio.faulty_server import FaultyServer
from tests.labeling.review.rounds.paper_studio import PaperContest, PaperStudio, paper_contest
from tests.orchestration.drawn_round import CARDS, NAME, compared, opened, voted, votes
from tests.orchestration.paper_registry import PaperRegistry
from tests.orchestration.paper_reviews import as_held
from tests.orchestration.registering import evidence_of
from tests.ports import free_port

FAMILY, CANDIDATE = drawn.plan().family, drawn.plan().candidate
# Every command that needs Label Studio, on a round that is open.
COMMANDS = [
    f"open {FAMILY} another-candidate",
    f"sync {NAME}",
    f"close {NAME} --undecided",
    f"vote {NAME} --simulated",
    "annotator add anna@shop.example",
]


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("SELVEDGE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SELVEDGE_LABEL_STUDIO_PORT", str(free_port()))
    monkeypatch.setattr(server.connect, "__defaults__", (0.2,))  # patience
    return load_settings()


@pytest.fixture
def ledger(settings):
    """An open round with a few ballots."""
    made = opened(settings, items=10)
    voted(made, 0.85, raters=2)
    return made


def told(capsys, arguments: str) -> str:
    """The one line that a command which must fail prints."""
    assert run(["review", *arguments.split()]) == 1
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert captured.out == ""
    return line


def state_of(settings) -> tuple[object, ...]:
    """Whatever a command could have left behind."""
    ledger = open_ledger(settings)
    found = ledger.rounds()
    files = sorted(str(place) for place in (settings.secrets / "annotators").glob("*"))
    ballots = [ledger.ballots(one.plan.round_id) for one in found]
    return found, ballots, [ledger.verdict(one.plan.round_id) for one in found], files


def refuse_to_be_asked() -> Contest:
    raise AssertionError("nothing may be computed before the request is known to be possible")


def request(**changes: object) -> RoundRequest:
    numbers = {"items": 10, "overlap": 3, "seed": 7, "preference": PreferencePlan()}
    return RoundRequest(FAMILY, CANDIDATE, CARDS, **{**numbers, **changes})


def refused(settings, contest=paper_contest, **changes: object) -> str:
    """The sentence of an opening that must be refused before Label Studio is asked for anything."""
    before = state_of(settings)
    with pytest.raises(SelvedgeError) as refusal:
        open_round(settings.rounds(), open_ledger(settings), None, request(**changes), contest)
    assert state_of(settings) == before
    return str(refusal.value)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_label_studio_that_is_down_is_told_and_nothing_changes(settings, ledger, capsys, command):
    ensure_account(settings.secrets)  # it was started once
    before = state_of(settings)
    line = told(capsys, command)
    assert (
        f"Label Studio at 127.0.0.1:{settings.label_studio_port} does not answer; start it with `selvedge up`" in line
    )
    assert state_of(settings) == before


@pytest.mark.parametrize("token", ["0" * 40, "head.body.sign"], ids=["wrong", "expired"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_token_that_is_refused_is_told_and_nothing_changes(
    settings, ledger, capsys, monkeypatch, tmp_path, command, token
):
    (tmp_path / "token").write_text(f"{token}\n")
    strict = FaultyServer()
    strict.answer = lambda number: (401, {}, '{"detail": "Token is invalid or expired."}')
    monkeypatch.setenv("SELVEDGE_LABEL_STUDIO", strict.url)
    monkeypatch.setenv("SELVEDGE_LABEL_STUDIO_TOKEN_FILE", str(tmp_path / "token"))
    before = state_of(settings)
    try:
        line = told(capsys, command)
    finally:
        strict.stop()
    assert line.endswith("refused the token; run `selvedge review login` to store a new one.") and token not in line
    assert state_of(settings) == before


def test_a_title_that_is_too_short_is_refused_before_anything_is_sent():
    nobody = LabelStudio("http://127.0.0.1:1", "a" * 40)
    with pytest.raises(SelvedgeError, match=r"^project title 'ab' has 2 characters; Label Studio takes 3 to 50\.$"):
        nobody.create_project(" ab ", "<View/>", "", overlap=1)
    assert nobody.requests_sent == 0


@pytest.mark.parametrize("name", ["ab", "", "May One", "../may"])
def test_a_round_that_cannot_be_called_so_is_refused_before_minutes_of_work(settings, name):
    line = refused(settings, refuse_to_be_asked, round_id=name)
    assert line.startswith(f"round id {name!r} must be 3 to 63 of a-z, 0-9 and hyphens")


def test_an_unknown_candidate_is_told_with_those_there_are(settings, monkeypatch):
    registry = PaperRegistry(settings)
    monkeypatch.setattr("orchestration.registry.registry.Registry", lambda settings: registry)
    line = refused(settings, lambda: registered(settings, FAMILY, "nobody"))
    assert line == f"candidate nobody of {FAMILY} is unknown to MLflow; train one first."
    registry.add(FAMILY, CANDIDATE)
    line = refused(settings, lambda: registered(settings, FAMILY, "nobody"))
    assert line.endswith(f"is unknown to MLflow; the newest are {CANDIDATE}.")


def test_a_judged_candidate_is_refused_before_minutes_of_work(settings, monkeypatch):
    ledger = opened(settings)
    voted(ledger, 0.85)
    close_round(settings.rounds(), ledger, NAME)
    monkeypatch.setattr(PaperContest, "compare", lambda *_: refuse_to_be_asked())
    line = refused(settings)
    assert line == (
        f"{CANDIDATE} was judged preferred against 3 in round {NAME}; asking again until it wins is not allowed."
    )


def test_neither_champion_nor_base_is_told(settings, monkeypatch):
    registry = PaperRegistry(settings)
    registry.add(FAMILY, CANDIDATE)
    registry.artefact_path = lambda version: settings.home
    none = SimpleNamespace(products=None, images=None, splits=None, qa_pairs=None)
    record = SimpleNamespace(dataset={"dataset": "", "question_set": ""})

    def gone(*_):
        raise SelvedgeError("blip2-tiny needs its weights; put them in models/blip2-tiny.")

    monkeypatch.setattr("orchestration.registry.registry.Registry", lambda settings: registry)
    monkeypatch.setattr("orchestration.assets.candidates.read_opening", lambda *_: record)
    monkeypatch.setattr("training.catalogue.read_dataset", lambda *_: none)
    monkeypatch.setattr("training.blip2.artefact.load_artefact", lambda *_: SimpleNamespace(schema=drawn.schema()))
    monkeypatch.setattr("training.blip2.scoring.base_of", gone)
    line = refused(settings, lambda: contest(registered(settings, FAMILY, CANDIDATE)))
    assert line == (
        f"{FAMILY} has no champion, and the base of {CANDIDATE} cannot stand in: blip2-tiny needs its weights; put "
        "them in models/blip2-tiny."
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"items": 100},
            "needs 115 test products (plain 100, gold 10, identical 5), but there are 20; lower the plan's",
        ),
        ({"items": 0}, "has items 0; it is a whole number of at least 1"),
        ({"overlap": 0}, "has overlap 0; it is a whole number of at least 1"),
        ({"gold_share": 0.6}, "has gold_share 0.6; it is a share between 0 and 0.5"),
    ],
)
def test_a_plan_that_the_products_cannot_fill_is_refused(settings, monkeypatch, changes, sentence):
    content = compared(settings.home / "pictures", products=20)
    monkeypatch.setattr(PaperContest, "compare", lambda *_: content)
    assert sentence in refused(settings, **changes)
    assert not settings.objects().exists()


def test_an_empty_test_split_is_refused(settings):
    content = compared(settings.home / "pictures", products=20)
    none_test = content.splits.assign(split="train")
    rows = Rows(
        content.products, content.further["images"], none_test, content.further["qa_pairs"], settings.features()
    )
    versions = (FAMILY, CANDIDATE, "4", "champion", "3")
    contest = AnswerContest(*versions, rows, drawn.schema(), refuse_to_be_asked, refuse_to_be_asked)
    line = refused(settings, lambda: contest)
    assert line == "the test split is empty; read more products before opening a round."
    assert not settings.objects().exists()


class Team:
    """The accounts of a team's server."""

    def __init__(self) -> None:
        self.accounts: dict[str, Credentials] = {}

    def create_annotator(self, email: str, password: str | None = None) -> Credentials:
        if email in self.accounts:
            raise AnnotatorExists(f"an annotator {email} exists already in Label Studio; use another e-mail.")
        self.accounts[email] = Credentials(len(self.accounts), email, password or "drawn by the server", "a" * 40)
        return self.accounts[email]

    def account_of(self, email: str) -> int | None:
        return self.accounts[email].user_id if email in self.accounts else None

    def sign_in(self, email: str, password: str) -> Credentials:
        if email not in self.accounts or self.accounts[email].password != password:
            raise SelvedgeError(f"Label Studio does not know {email} with this password; correct one of them.")
        return self.accounts[email]


def test_an_e_mail_that_has_an_account_is_told_and_a_password_that_opens_nothing_is_not_kept(
    settings, capsys, monkeypatch
):
    team = Team()
    monkeypatch.setattr(server, "connect", lambda settings: team)
    assert run(["review", "annotator", "add", "anna@shop.example"]) == 0
    place = settings.secrets / "annotators" / "anna@shop.example.json"
    password = json.loads(place.read_text())["password"]
    capsys.readouterr()
    assert "anna@shop.example exists already" in told(capsys, "annotator add anna@shop.example")
    assert json.loads(place.read_text())["password"] == password
    team.create_annotator("ben@shop.example")  # by a colleague, at another machine
    assert "ben@shop.example exists already" in told(capsys, "annotator add ben@shop.example")
    assert sorted(one.name for one in place.parent.iterdir()) == [place.name]


def test_a_ballot_that_is_not_this_rounds_is_told_kept_and_never_counted(settings):
    ledger = opened(settings, items=10)
    ours = votes(ledger, 0.85, raters=1)
    strange = drawn.annotation(900, "somebody-elses-task", ScriptedAnnotator("ada", 1).email)
    studio = PaperStudio({1: "Review"}, {1: []}, {1: [as_held(one) for one in [*ours, strange]]})
    pulled = sync_round(settings.rounds(), ledger, studio, NAME)
    assert pulled.new == len(ours) and pulled.void == (
        f"annotation 900 of {strange.rater} does not count: it is of a task that is not this round's.",
    )
    assert len(ledger.ballots(NAME)) == len(ours) + 1 and len(table_of(ledger, NAME)) == len(ours)


def test_clocks_that_disagree_are_told_in_one_sentence_and_every_ballot_counts(settings, monkeypatch):
    ledger = opened(settings, items=10)
    ours = votes(ledger, 0.85, raters=1)
    studio = PaperStudio({1: "Review"}, {1: []}, {1: [as_held(one) for one in ours]})
    newest = max(one.updated_at for one in ours)

    class Slow:
        @staticmethod
        def now(zone):
            return newest - timedelta(hours=3)

    monkeypatch.setattr("labeling.review.rounds.ballots.datetime", Slow)
    pulled = sync_round(settings.rounds(), ledger, studio, NAME)
    (warning,) = pulled.warnings
    assert "the review server's clock is 180 minutes ahead of this machine's" in warning and "\n" not in warning
    assert (pulled.new, pulled.void) == (len(ours), ()) and len(table_of(ledger, NAME)) == len(ours)


def test_a_promotion_without_a_verdict_is_refused_and_no_alias_moves(settings):
    registry = PaperRegistry(settings)
    registry.add("toy", "c1")
    rule = GateRule("toy", required=("metrics", "verdict"))
    outcome = promote(registry, rule, evidence_of("toy", "c1", None))
    assert outcome.status == "refused" and any("evidence of kind verdict is missing" in one for one in outcome.reasons)
    assert registry.champion("toy") is None and open_ledger(settings).promotions.history("toy") == []
