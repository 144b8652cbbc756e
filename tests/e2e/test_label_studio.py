"""A real Label Studio: rounds go in, ballots come out, and no crash, stranger or typing error changes one."""

import re
import secrets
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil
import pytest

from catalog.errors import SelvedgeError, ServiceUnavailable
from infra.errors import ServiceFailure
from infra.local.label_studio import account_file, ensure_account, ensure_label_studio
from infra.local.services import port_taken
from labeling.review.label_page import Pace, ballot_result, label_config, pair_task
from labeling.review.label_studio import LabelStudio, ProjectGone
from labeling.review.label_studio.accounts import AnnotatorExists
from labeling.review.label_studio.connection import Refused
from labeling.review.pairs.rendering import picture_uri
from labeling.review.picks.page import GUIDELINES as PICK_GUIDELINES
from labeling.review.picks.page import pick_config, pick_result, pick_task
from tests.e2e.label_studio_home import ENVIRONMENTS, ROOT, LabelStudioHome
from tests.labeling.review import postgres_for_tests
from tests.ports import free_port

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.xdist_group("label-studio"),
    pytest.mark.timeout(900),
]

QUESTION = "Which card describes the product in the picture better?"
GUIDELINES = "<p>Look at the picture first. A wrong value is worse than a missing one.</p>"
REASONS = ("wrong value", "value missing", "too vague")
CONFIG = label_config(QUESTION, GUIDELINES, REASONS)
PAIRS = 30


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    from catalog.drawn import draw_catalogue

    drawn = draw_catalogue(tmp_path_factory.mktemp("drawn"), products=3, seed=5).path
    return picture_uri(sorted((drawn / "images").glob("*.jpg"))[0].read_bytes(), "product 1")


def card(**values: str) -> str:
    rows = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in values.items())
    return f'<table class="card">{rows}</table>'


def pairs(photo: str, number: int = PAIRS) -> list[dict[str, str]]:
    left, right = card(colour="Navy Blue", pattern="–"), card(colour="Navy Blue", pattern="Striped")
    return [pair_task(f"{n:04x}{secrets.token_hex(6)}", photo, left, right) for n in range(number)]


@pytest.fixture
def admin(label_studio):
    return label_studio.administrator()


@pytest.fixture
def project(admin, photo):
    made = admin.create_project(f"Round {secrets.token_hex(3)}", CONFIG, GUIDELINES, overlap=2)
    tasks = pairs(photo)
    ids = admin.import_tasks(made, tasks)
    assert list(ids) == [task["key"] for task in tasks]
    yield made
    admin.delete_project(made)


def annotator(admin: LabelStudio) -> LabelStudio:
    return LabelStudio(admin.url, new_account(admin).token)


def new_account(admin: LabelStudio):
    return admin.create_annotator(f"rater-{secrets.token_hex(4)}@example.com")


def vote(rater: LabelStudio, project: int, choice: str, number: int = 10_000) -> list[str]:
    """Votes until nothing is left or enough; the keys seen."""
    keys = []
    while len(keys) < number and (task := rater.next_task(project)) is not None:
        rater.annotate(task.task_id, ballot_result(choice, REASONS[:1]), lead_time_seconds=2.5)
        keys.append(task.key)
    return keys


def test_pairs_are_shown_in_an_order_that_knows_nothing_of_them(admin, photo):
    """Drawn anew at every request: one that somebody has begun comes before a new one, and no list is gone through."""
    made = admin.create_project(f"Round {secrets.token_hex(3)}", CONFIG, GUIDELINES, overlap=3)
    keys = list(admin.import_tasks(made, pairs(photo, 24)))
    first, second = annotator(admin), annotator(admin)
    shown = vote(first, made, "left")
    after = vote(second, made, "left", 12)
    assert sorted(shown) == sorted(keys) and shown != keys, "24! orders; that of the upload is one"
    assert after != shown[:12] and after != keys[:12]
    third = annotator(admin)
    assert set(vote(third, made, "left", 12)) == set(after), "a pair that two have seen comes first"
    admin.delete_project(made)


def test_a_task_that_was_finished_is_shown_to_one_more_who_has_not_voted_on_it(admin, project):
    first, second, third = (annotator(admin) for _ in range(3))
    keys = vote(first, project, "left")
    vote(second, project, "right")
    assert third.next_task(project) is None
    raised = dict.fromkeys(keys[:3], 3)
    assert admin.raise_overlap(project, {**raised, keys[3]: 2, "nobody-has-it": 9}) == 3
    assert admin.raise_overlap(project, raised) == 0
    assert first.next_task(project) is None and second.next_task(project) is None
    assert sorted(vote(third, project, "tie")) == sorted(raised)
    assert annotator(admin).next_task(project) is None and admin.counter(project).finished_tasks == len(keys)


def test_the_server_is_one_process_on_loopback_and_its_secrets_are_its_owners(label_studio, admin):
    ping = admin.ping()
    assert ping.version.startswith("1.23") and ping.server_ahead.total_seconds() == 0
    root = psutil.Process(label_studio.running.process.pid)
    listening = [one.laddr for one in root.net_connections("tcp") if one.status == psutil.CONN_LISTEN]
    assert [(address.ip, address.port) for address in listening] == [("127.0.0.1", label_studio.port)]
    assert root.children(recursive=True) == []
    place = account_file(label_studio.secrets)
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    account = ensure_account(label_studio.secrets)
    told = " ".join(root.cmdline()) + str(root.environ()) + label_studio.log() + repr(account)
    for secret in (account.password, account.token, account.secret_key):
        assert secret not in told


def token_header(token: str) -> dict[str, str]:
    return {"Authorization": f"Token {token}"}


def test_nobody_is_shown_the_last_commit_of_the_repository_around_the_environment(label_studio):
    headers = token_header(ensure_account(label_studio.secrets).token)
    versions = httpx.get(f"{label_studio.url}/api/version", headers=headers, timeout=30, trust_env=False).json()
    assert versions["release"].startswith("1.23") and versions["label-studio-os-backend"] == {}


def sign_up(url: str, **query: str) -> int:
    with httpx.Client(timeout=30, trust_env=False) as browser:
        browser.get(f"{url}/user/signup/", params=query)
        form = {"email": "stranger@example.com", "password": "long-enough-77"}
        form["csrfmiddlewaretoken"] = browser.cookies["csrftoken"]
        place = f"{url}/user/signup/"
        answer = browser.post(place, data=form, params=query, headers={"Referer": place})
        return answer.status_code


def test_nobody_signs_up_without_an_invitation(label_studio, admin):
    assert sign_up(label_studio.url) == 403
    assert sign_up(label_studio.url, token="0" * 40) == 403
    headers = token_header(ensure_account(label_studio.secrets).token)
    invitation = httpx.get(f"{label_studio.url}/api/invite", headers=headers, timeout=30, trust_env=False).json()
    new_account(admin)  # ends it, whoever has read it meanwhile
    assert sign_up(label_studio.url, token=invitation["token"]) == 403
    with closing(sqlite3.connect(label_studio.database)) as database:
        rows = database.execute("select count(*) from htx_user where email like 'stranger%'").fetchone()
    assert rows == (0,)


def test_anonymous_requests_see_nothing(label_studio):
    for place in ("/api/projects/", "/api/users/", "/api/invite", "/api/tasks/?project=1"):
        assert httpx.get(label_studio.url + place, timeout=30, trust_env=False).status_code == 401


def test_two_annotators_answer_every_pair_and_a_third_gets_none(admin, project):
    first, second, third = (annotator(admin) for _ in range(3))
    assert admin.counter(project).annotations == 0
    seen = vote(first, project, "left")
    assert len(seen) == len(set(seen)) == PAIRS
    assert admin.counter(project).finished_tasks == 0  # each wants two
    vote(second, project, "right")
    assert third.next_task(project) is None
    counter = admin.counter(project)
    assert (counter.tasks, counter.finished_tasks, counter.annotations) == (PAIRS, PAIRS, 2 * PAIRS)
    told = []
    pulled = admin.pull_annotations(project, lambda done, total: told.append((done, total)))
    assert pulled == admin.pull_annotations(project)
    assert told[-1] == (PAIRS, PAIRS)
    assert set(Counter(one.task_key for one in pulled).values()) == {2}
    assert Counter(one.choices for one in pulled) == {("left",): PAIRS, ("right",): PAIRS}
    assert {one.reasons for one in pulled} == {("wrong value",)}
    assert {one.lead_time_seconds for one in pulled} == {2.5}
    assert not any(one.cancelled or one.edited_by_another for one in pulled)
    assert len({one.rater for one in pulled}) == 2 and all("@example.com" in one.rater for one in pulled)
    now = datetime.now(UTC) + admin.ping().server_ahead
    assert all(0 <= (now - one.created_at).total_seconds() < 600 for one in pulled)


def test_a_correction_and_a_strangers_edit_are_told_apart(admin, project):
    author, stranger = annotator(admin), annotator(admin)
    vote(author, project, "left", 2)
    cursor = admin.counter(project).cursor()
    own, foreign = (one.annotation_id for one in admin.pull_annotations(project))
    author.correct(own, ballot_result("tie"))
    assert admin.counter(project).cursor() != cursor  # a sensor sees it, though there are no more ballots
    stranger.correct(foreign, ballot_result("right"))
    corrected, edited = admin.pull_annotations(project)
    assert (corrected.choices, corrected.edited_by_another) == (("tie",), False)
    assert corrected.updated_at > corrected.created_at
    assert (edited.choices, edited.edited_by_another) == (("right",), True)
    assert edited.rater_id == corrected.rater_id and edited.updated_by != edited.rater_id


def test_a_ballot_in_anothers_name_shows_who_sent_it(label_studio, admin, project):
    victim, forger = new_account(admin), new_account(admin)
    task = LabelStudio(admin.url, forger.token).next_task(project)
    body = {"result": ballot_result("left"), "completed_by": victim.user_id, "updated_by": victim.user_id}
    place = f"{label_studio.url}/api/tasks/{task.task_id}/annotations/"
    httpx.post(place, json=body, headers=token_header(forger.token), timeout=30, trust_env=False).raise_for_status()
    (forged,) = admin.pull_annotations(project)
    assert forged.rater == victim.email and forged.updated_by == forger.user_id and forged.edited_by_another


def test_a_result_that_no_page_made_is_no_choice(label_studio, admin, project):
    rater = annotator(admin)
    task = rater.next_task(project)
    strange = [{"from_name": "else", "to_name": "x", "type": "choices", "value": {"choices": ["left"]}}, "text", 3]
    rater.annotate(task.task_id, strange[:1])
    (pulled,) = admin.pull_annotations(project)
    assert pulled.choices == () and pulled.task_key == task.key


def test_an_import_that_was_killed_is_completed_and_nothing_comes_twice(admin, photo):
    project = admin.create_project("Round interrupted", CONFIG, GUIDELINES, overlap=1)
    tasks = pairs(photo, 50)
    first = admin.import_tasks(project, tasks[:20])
    told = []
    ids = admin.import_tasks(project, tasks, lambda done, total: told.append((done, total)))
    assert {key: ids[key] for key in first} == first and len(set(ids.values())) == 50
    assert admin.import_tasks(project, tasks) == ids
    assert told[-1] == (50, 50) and admin.counter(project).tasks == 50
    assert admin.find_project("Round interrupted") == project and admin.find_project("Round inter") is None
    admin.delete_project(project)


def test_a_task_stored_twice_by_a_late_server_stays_once(label_studio, admin, project, photo):
    key = annotator(admin).next_task(project).key
    task = {"data": pair_task(key, photo, "left", "right"), "meta": {"key": key}}
    headers = token_header(ensure_account(label_studio.secrets).token)
    place = f"{label_studio.url}/api/projects/{project}/import"
    httpx.post(place, json=[task], headers=headers, timeout=30, trust_env=False).raise_for_status()
    assert admin.counter(project).tasks == PAIRS + 1
    admin.import_tasks(project, [task["data"]])
    assert admin.counter(project).tasks == PAIRS


def test_a_restart_in_the_middle_loses_nothing(label_studio, admin, project):
    rater = annotator(admin)
    vote(rater, project, "left", 5)
    before = admin.pull_annotations(project)
    label_studio.stop()
    assert not port_taken(label_studio.port)
    starter = threading.Timer(1.0, label_studio.start)  # the calls below begin while it is away
    starter.start()
    task = rater.next_task(project)
    rater.annotate(task.task_id, ballot_result("tie"))
    assert admin.pull_annotations(project)[:5] == before
    starter.join()
    assert len(admin.pull_annotations(project)) == 6


STARTER = """
import sys, time
from pathlib import Path
from infra.local.label_studio import ensure_label_studio
folder, port, environments = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
ensure_label_studio(folder / "label-studio", folder / "logs", folder / "secrets", port, environments=environments)
print("up", flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux's")
def test_a_killed_command_leaves_no_server_and_the_next_start_works(label_studio, admin):
    label_studio.stop()
    command = [sys.executable, "-c", STARTER, str(label_studio.folder), str(label_studio.port), str(ENVIRONMENTS)]
    starter = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
    try:
        assert starter.stdout.readline() == b"up\n"
        family = psutil.Process(starter.pid).children(recursive=True)
        assert len(family) == 2, "the server, and who writes its log"
        starter.send_signal(signal.SIGKILL)
        starter.wait()
        _, alive = psutil.wait_procs(family, timeout=20)
        assert alive == [] and not port_taken(label_studio.port)
    finally:
        if starter.poll() is None:
            starter.kill()
        label_studio.start()
    assert admin.ping().version


def test_a_stopped_server_is_one_sentence(label_studio):
    away = LabelStudio(f"http://127.0.0.1:{free_port()}", "a" * 40, patience_seconds=0.5)
    with pytest.raises(ServiceUnavailable, match=r"^Label Studio at 127\.0\.0\.1:\d+ does not answer") as told:
        away.ping()
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("token", ["0" * 40, "eyJhbGciOiJIUzI1NiJ9.eyJ0b2tlbl90eXBlIjoicmVmcmVzaCJ9.c2ln"])
def test_a_wrong_token_is_one_sentence(label_studio, token):
    with pytest.raises(SelvedgeError, match="refused the token; run `selvedge review login` to store a new one"):
        LabelStudio(label_studio.url, token).ping()


def test_a_personal_access_token_works_also_when_its_access_has_expired(label_studio, admin, project):
    account = new_account(admin)
    asked = {"headers": token_header(account.token), "timeout": 30, "trust_env": False}
    personal = httpx.post(f"{label_studio.url}/api/token/", **asked).json()["token"]
    rater = LabelStudio(label_studio.url, personal)
    assert rater.ping().email == account.email
    rater._connection._auth._access = "expired.access.token"
    assert vote(rater, project, "left", 1)
    revoke = httpx.post(f"{label_studio.url}/api/token/blacklist/", json={"refresh": personal}, **asked)
    assert revoke.status_code == 204
    with pytest.raises(SelvedgeError, match="refused the token"):
        LabelStudio(label_studio.url, personal).ping()


def test_an_annotator_is_made_once_and_found_again_by_password(admin):
    password = secrets.token_urlsafe(9)
    made = admin.create_annotator("Anna.Once@Example.com", password)
    assert made.email == "anna.once@example.com" and password not in repr(made) and made.token not in repr(made)
    with pytest.raises(AnnotatorExists, match=r"an annotator anna\.once@example\.com exists already in Label Studio"):
        admin.create_annotator("anna.once@example.com")
    assert admin.sign_in("anna.once@example.com", password) == made
    with pytest.raises(SelvedgeError, match=r"does not know anna\.once@example\.com with this password"):
        admin.sign_in("anna.once@example.com", "not the password")


@pytest.mark.parametrize(
    ("email", "password", "told"),
    [("nobody", None, "'nobody' is not an e-mail address"), ("a@b.example", "short", "fewer than 8 characters")],
)
def test_an_account_that_cannot_be_is_refused(admin, email, password, told):
    with pytest.raises(SelvedgeError, match=told):
        admin.create_annotator(email, password)


def test_a_project_that_cannot_be_is_refused_before_anything_is_made(admin):
    with pytest.raises(SelvedgeError, match=r"project title 'ab' has 2 characters; Label Studio takes 3 to 50\."):
        admin.create_project(" ab ", CONFIG, "", overlap=1)
    with pytest.raises(SelvedgeError, match="an overlap of 0 asks nobody"):
        admin.create_project("abc", CONFIG, "", overlap=0)
    with pytest.raises(Refused, match=r"refused the request \(400\): label_config"):
        admin.create_project("Round broken", "<View><Choices/></View>", "", overlap=1)
    assert admin.find_project("Round broken") is None


def test_a_deleted_project_is_one_sentence_whatever_is_asked(admin, photo):
    project = admin.create_project("Round deleted", CONFIG, GUIDELINES, overlap=1)
    admin.import_tasks(project, pairs(photo, 2))
    admin.delete_project(project)
    admin.delete_project(project)
    asked = (
        lambda: admin.counter(project),
        lambda: admin.pull_annotations(project),
        lambda: admin.next_task(project),
        lambda: admin.import_tasks(project, pairs(photo, 1)),
    )
    for ask in asked:
        with pytest.raises(ProjectGone, match=rf"project {project} is not in Label Studio at .* \(it was deleted"):
            ask()


def test_a_vote_on_a_task_that_is_gone_is_one_sentence(admin):
    with pytest.raises(SelvedgeError, match=r"task 999999 is not in Label Studio at .* any more"):
        admin.annotate(999999, ballot_result("left"))


def test_a_second_server_on_the_same_port_is_told(label_studio, tmp_path):
    with pytest.raises(ServiceFailure, match=rf"port {label_studio.port}, .* set SELVEDGE_LABEL_STUDIO_PORT"):
        ensure_label_studio(
            tmp_path / "ls", tmp_path / "logs", tmp_path / "secrets", label_studio.port, environments=ENVIRONMENTS
        )


@pytest.fixture
def proxied(label_studio, door) -> LabelStudio:
    """The owner's client, through the proxy."""
    return LabelStudio(door, ensure_account(label_studio.secrets).token)


def test_through_the_proxy_an_annotator_reaches_nobody_elses_ballot(label_studio, project, proxied):
    owner = proxied
    anna, ben = new_account(owner), new_account(owner)
    for account, choice in ((anna, "left"), (ben, "right")):
        assert len(vote(LabelStudio(owner.url, account.token), project, choice, 2)) == 2
    ballots = {one.rater: one for one in owner.pull_annotations(project)}
    theirs, own = ballots[ben.email], ballots[anna.email]
    http = httpx.Client(base_url=owner.url, headers={"Authorization": f"Token {anna.token}"}, timeout=60)
    kept = owner.pull_annotations(project)
    headers = token_header(ensure_account(label_studio.secrets).token)
    invitation = httpx.get(f"{label_studio.url}/api/invite", headers=headers, timeout=60).json()["token"]
    forged = {"result": ballot_result("left"), "completed_by": ben.user_id}
    for method, path, content in (
        ("GET", f"/api/annotations/{theirs.annotation_id}", None),
        ("PATCH", f"/api/annotations/{theirs.annotation_id}", {"result": ballot_result("left")}),
        ("DELETE", f"/api/annotations/{own.annotation_id}", None),
        ("POST", f"/api/tasks/{own.task_id}/annotations", forged),
        ("GET", f"/api/projects/{project}/export?exportType=JSON", None),
        ("DELETE", f"/api/projects/{project}", None),
        ("GET", "/api/invite", None),
        ("GET", "/user/signup/?token=any", None),
        ("POST", f"/user/signup/?token={invitation}", {"email": "sock@example.com", "password": "long-enough-77"}),
        ("POST", "/api/users", {"email": "sock@example.com", "password": "long-enough-77"}),
    ):
        assert http.request(method, path, json=content).status_code == 403, path
    for path in (f"/api/tasks/{theirs.task_id}", f"/api/tasks?project={project}", f"/api/users?project={project}"):
        seen = http.get(path)
        assert seen.status_code == 200 and ben.email not in seen.text and '["right"]' not in seen.text
    corrected = http.patch(f"/api/annotations/{own.annotation_id}", json={"result": ballot_result("tie")})
    assert corrected.status_code == 200
    after = {one.annotation_id: one.choices for one in owner.pull_annotations(project)}
    assert after == {one.annotation_id: one.choices for one in kept} | {own.annotation_id: ("tie",)}


def test_new_secrets_reach_the_administrator_and_old_ones_end(label_studio, admin, project):
    old = ensure_account(label_studio.secrets)
    label_studio.stop()
    account_file(label_studio.secrets).unlink()
    label_studio.start()
    with pytest.raises(SelvedgeError, match="refused the token"):
        LabelStudio(label_studio.url, old.token).ping()
    assert label_studio.administrator().counter(project).tasks == PAIRS
    # The fixture of this test deletes the project with the token it was made with.
    admin._connection._auth._token = ensure_account(label_studio.secrets).token


def test_a_lost_database_costs_no_ballot_already_pulled(label_studio, admin, project):
    vote(annotator(admin), project, "left", 3)
    pulled = admin.pull_annotations(project)
    label_studio.stop()
    data = label_studio.database.parent
    aside = data.rename(data.with_name("aside"))
    try:
        label_studio.start()  # an empty database, the same administrator
        with pytest.raises(ProjectGone, match="or the server lost its database"):
            admin.pull_annotations(project)
    finally:
        label_studio.stop()
        data.rename(data.with_name("lost"))
        aside.rename(data)
        label_studio.start()
    assert admin.pull_annotations(project) == pulled


@pytest.mark.skipif(shutil.which("initdb") is None, reason="no `initdb` on the PATH: PostgreSQL is not installed here")
def test_postgresql_instead_of_sqlite(label_studio, photo, tmp_path_factory):
    home = LabelStudioHome(tmp_path_factory.mktemp("on-postgresql"), free_port())
    with postgres_for_tests.server(tmp_path_factory.mktemp("postgresql")) as address:
        home.start(address)
        try:
            admin = home.administrator()
            project = admin.create_project("Round on PostgreSQL", CONFIG, GUIDELINES, overlap=1)
            admin.import_tasks(project, pairs(photo, 5))
            vote(annotator(admin), project, "tie")
            home.stop()
            home.start(address)
            assert len(admin.pull_annotations(project)) == admin.counter(project).finished_tasks == 5
            assert not home.database.exists()
        finally:
            home.stop()


# Label Studio turns a data URI into a blob and draws it on a canvas over a hidden <img>.
SHOWN = ".sv-{} img[src^='blob:']"
CHOSEN = ".sv-verdict .ant-radio-wrapper-checked"


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield started
        started.close()


def signed_in(browser, label_studio, account):
    """A page of a signed-in annotator, and everything it received."""
    page = browser.new_page(viewport={"width": 1366, "height": 820})
    received, addresses = [], []
    page.on("request", lambda request: addresses.append(request.url))

    def keep(response):
        page_or_data = "/api/" in response.url or "text/html" in response.headers.get("content-type", "")
        if page_or_data and not 300 <= response.status < 400:
            received.append(f"{response.url}\n{response.headers}\n{response.text()}")

    page.on("response", keep)
    sign_in(page, label_studio.url, account)
    return page, received, addresses


def sign_in(page, url, account):
    page.goto(f"{url}/user/login/")
    page.fill("input[name=email]", account.email)
    page.fill("input[name=password]", account.password)
    page.keyboard.press("Enter")
    page.wait_for_load_state("networkidle")


def vote_by_keyboard(page, key: str, picture: Path | None = None) -> None:
    """Presses a key and Enter, and waits until the server has the vote and the page has moved on."""
    page.wait_for_selector(SHOWN.format("photo"), state="attached")
    page.wait_for_selector(".sv-verdict label")
    page.wait_for_timeout(400)
    page.keyboard.press(key)
    page.wait_for_selector(CHOSEN)
    if picture is not None:
        page.keyboard.press("q")
        page.wait_for_timeout(300)
        page.screenshot(path=picture)
        page.keyboard.press("q")
    with page.expect_response(lambda answer: "/annotations" in answer.url and answer.request.method == "POST"):
        page.keyboard.press("Enter")
    page.wait_for_selector(CHOSEN, state="detached")


def test_an_annotator_votes_by_keyboard_and_receives_nothing_that_names_a_side(
    label_studio, admin, photo, browser, tmp_path
):
    project = admin.create_project(f"Round {secrets.token_hex(3)}", CONFIG, GUIDELINES, overlap=1)
    admin.import_tasks(project, pairs(photo, 10))
    account = new_account(admin)
    page, received, addresses = signed_in(browser, label_studio, account)
    page.goto(admin.project_url(project))
    page.wait_for_selector(".sv-verdict label")
    page.wait_for_timeout(800)
    page.screenshot(path=tmp_path / "pair.png")
    for number, key in enumerate("1234123412"):
        vote_by_keyboard(page, key, tmp_path / "chosen.png" if number == 1 else None)
    page.wait_for_timeout(500)
    page.screenshot(path=tmp_path / "done.png")
    print(f"screenshots: {tmp_path}")
    pulled = admin.pull_annotations(project)
    expected = {("left",): 3, ("right",): 3, ("tie",): 2, ("both_bad",): 2}
    assert Counter(one.choices for one in pulled) == expected
    assert {one.rater for one in pulled} == {account.email} and not any(one.edited_by_another for one in pulled)
    assert all(one.lead_time_seconds > 0 for one in pulled)
    everything = "\n".join(received)
    assert "sv-photo" in everything  # something was looked at
    assert not re.search(r"champion|challenger|candidate|blip2|models:/|run_id|sha256", everything)
    outside = [one for one in addresses if not one.startswith((label_studio.url, "data:", "blob:"))]
    assert outside == []
    page.close()
    admin.delete_project(project)


def test_through_the_proxy_a_vote_too_fast_to_have_read_warns_once_before_it_counts(proxied, photo, browser):
    """The page as it is served, with every vote too fast: the first warns, the next is told that it counts."""
    config = label_config(QUESTION, GUIDELINES, REASONS, pace=Pace(2, 60, 12.0))
    project = proxied.create_project(f"Round {secrets.token_hex(3)}", config, GUIDELINES, overlap=1)
    proxied.import_tasks(project, pairs(photo, 2))
    page = browser.new_page(viewport={"width": 1366, "height": 820})
    sign_in(page, proxied.url, new_account(proxied))
    page.goto(proxied.project_url(project))
    vote_by_keyboard(page, "1")
    page.locator("#sv-hint", has_text="This one is a warning").wait_for()
    page.locator("#sv-count", has_text="1 of 2 done").wait_for()
    vote_by_keyboard(page, "2")
    page.locator("#sv-hint", has_text="That was again too fast").wait_for()
    page.wait_for_selector("#sv-end")
    assert len(proxied.pull_annotations(project)) == 2
    page.close()
    proxied.delete_project(project)


def test_pictures_are_compared_as_well_as_texts(label_studio, admin, photo, browser, tmp_path):
    config = label_config("Which picture would you publish?", GUIDELINES, (), sides="picture")
    project = admin.create_project(f"Round {secrets.token_hex(3)}", config, GUIDELINES, overlap=1)
    admin.import_tasks(project, [pair_task(secrets.token_hex(8), photo, photo, photo)])
    page, _, _ = signed_in(browser, label_studio, new_account(admin))
    page.goto(admin.project_url(project))
    page.wait_for_selector(SHOWN.format("side"), state="attached")
    page.wait_for_timeout(800)
    page.screenshot(path=tmp_path / "pictures.png")
    print(f"screenshots: {tmp_path}")
    assert page.locator(SHOWN.format("side")).count() == 2
    vote_by_keyboard(page, "2")
    assert [one.choices for one in admin.pull_annotations(project)] == [("right",)]
    page.close()
    admin.delete_project(project)


def test_a_pick_among_three_pictures_comes_back_with_its_comment(label_studio, admin, photo, browser, tmp_path):
    """As a person picks: a key for the place, words in the field, and none of these by 0."""
    project = admin.create_project(f"Picks {secrets.token_hex(3)}", pick_config(23), PICK_GUIDELINES, overlap=1)
    tasks = [pick_task(f"{number}{secrets.token_hex(8)}", [photo] * 3) for number in range(3)]
    admin.import_tasks(project, tasks)
    program = annotator(admin)
    task = program.next_task(project)
    program.annotate(task.task_id, pick_result("3", "softer light"), 2.5)
    page, received, _ = signed_in(browser, label_studio, new_account(admin))
    page.goto(admin.project_url(project))
    page.wait_for_selector(SHOWN.format("side"), state="attached")
    assert page.locator(SHOWN.format("side")).count() == 3
    page.wait_for_timeout(800)
    page.keyboard.press("2")
    page.wait_for_selector(CHOSEN)
    page.locator(".sv-reasons textarea").fill("too small")
    page.screenshot(path=tmp_path / "pick.png")
    print(f"screenshots: {tmp_path}")
    with page.expect_response(lambda answer: "/annotations" in answer.url and answer.request.method == "POST"):
        page.get_by_test_id("bottombar-submit-button").click()
    page.wait_for_selector(CHOSEN, state="detached")
    page.wait_for_timeout(600)
    page.keyboard.press("0")
    page.wait_for_selector(CHOSEN)
    with page.expect_response(lambda answer: "/annotations" in answer.url and answer.request.method == "POST"):
        page.keyboard.press("Enter")
    pulled = sorted(admin.pull_annotations(project), key=lambda one: one.annotation_id)
    assert [(one.choices, one.comment) for one in pulled] == [
        (("3",), "softer light"), (("2",), "too small"), (("none",), ""),
    ]  # fmt: skip
    assert not re.search(r"rank|score|champion|candidate", "\n".join(text for text in received if "sv-picks" in text))
    page.close()
    admin.delete_project(project)
