"""Jobs: accepted once, held by one worker at a time, ended once, and never tried for ever."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from catalog.errors import SelvedgeError
from inference.service.jobs import ATTEMPTS, JobLost, Jobs, OtherBody, State, TooManyJobs
from inference.service.keys import RIGHTS, Keys
from inference.service.tables import open_database


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def jobs(tmp_path, clock):
    return Jobs(open_database(f"sqlite:///{tmp_path / 'service.db'}"), lease=30, clock=clock)


def accept(jobs, name="a", body="0", client="shop", most=8):
    return jobs.accept(client, name, body, {"prompt": name}, most)


def test_the_same_body_again_is_the_same_job_and_another_body_is_refused(jobs):
    first, made = accept(jobs)
    again, made_again = accept(jobs)
    assert (made, made_again) == (True, False) and again == first and first.state is State.QUEUED
    with pytest.raises(OtherBody, match="used with another body"):
        accept(jobs, body="1")
    other, made = accept(jobs, body="1", client="another")
    assert made and other.client == "another" and jobs.find("another", "a") == other and jobs.find("third", "a") is None


def test_a_client_has_so_many_at_once_and_a_refusal_leaves_nothing(jobs):
    for name in "ab":
        accept(jobs, name, most=2)
    with pytest.raises(TooManyJobs, match="2 unfinished"):
        accept(jobs, "c", most=2)
    with pytest.raises(TooManyJobs, match="2 unfinished"):
        jobs.require_room("shop", 2)
    assert jobs.find("shop", "c") is None
    jobs.end(jobs.claim(), State.DONE, {})
    assert accept(jobs, "c", most=2)[1] and accept(jobs, "c", client="another", most=2)[1]


def test_one_worker_holds_a_job_until_its_lease_runs_out(jobs, clock):
    accept(jobs)
    held = jobs.claim()
    assert (held.state, held.attempts) == (State.RUNNING, 1) and jobs.claim() is None
    clock.now += 20
    jobs.renew(held, "cutout")
    assert jobs.find("shop", "a").stage == "cutout"
    clock.now += 20
    assert jobs.claim() is None, "it was renewed"
    clock.now += 11
    later = jobs.claim()
    assert later.attempts == 2 and later.token != held.token
    for late in (lambda: jobs.end(held, State.DONE, {"by": "late"}), lambda: jobs.renew(held)):
        with pytest.raises(JobLost):
            late()
    jobs.end(later, State.DONE, {"by": "later"})
    assert jobs.find("shop", "a").outcome == {"by": "later"}
    with pytest.raises(JobLost):
        jobs.end(later, State.FAILED, {})


def test_a_job_whose_workers_are_killed_is_given_up_with_a_sentence(jobs, clock):
    accept(jobs)
    for attempt in range(1, ATTEMPTS + 1):
        assert jobs.claim().attempts == attempt
        clock.now += 31
    assert jobs.claim() is None
    ended = jobs.find("shop", "a")
    assert ended.state is State.FAILED and "another id" in ended.outcome["sentence"]


def test_a_service_that_does_not_answer_is_asked_again_later_and_not_for_ever(jobs, clock):
    accept(jobs)
    for _ in range(ATTEMPTS):
        jobs.put_back(jobs.claim(), "Bedrock does not answer.")
        assert jobs.claim() is None, "not at once"
        clock.now += 60
    ended = jobs.find("shop", "a")
    assert (ended.state, ended.outcome["sentence"]) == (State.FAILED, "Bedrock does not answer.")
    assert jobs.counts() == {"queued": 0, "running": 0, "done": 0, "refused": 0, "failed": 1}


def test_many_at_once_lose_and_double_nothing(tmp_path):
    jobs = Jobs(open_database(f"sqlite:///{tmp_path / 'service.db'}"))
    names = [str(number) for number in range(12)]
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda name: accept(jobs, name, most=99)[1], names * 2))
        claimed = [job.request_id for job in pool.map(lambda _: jobs.claim(), range(20)) if job is not None]
    assert sum(made) == 12 and sorted(claimed) == sorted(names)


def test_keys_are_kept_as_hashes_and_open_what_they_were_given_for(tmp_path):
    database = open_database(f"sqlite:///{tmp_path / 'service.db'}")
    keys = Keys(database)
    key = keys.add("web-shop", ["attributes"])
    assert key.startswith("selvedge_") and key.encode() not in (tmp_path / "service.db").read_bytes()
    assert keys.client_of(key).rights == ("attributes",) and keys.client_of(key + "x") is None
    with pytest.raises(SelvedgeError, match="remove it first"):
        keys.add("web-shop")
    keys.keep("studio", "a" * 32, RIGHTS)
    keys.keep("studio", "b" * 32, RIGHTS)
    assert keys.client_of("a" * 32) is None and [client.name for client in keys.all()] == ["studio", "web-shop"]
    keys.remove("web-shop")
    assert keys.client_of(key) is None
    for name in ("Web", "a--b", "a-", "", "a" * 25):
        with pytest.raises(SelvedgeError, match="small letter"):
            keys.add(name)
    with pytest.raises(SelvedgeError, match="choose from ads"):
        keys.add("b", ["all"])
    with pytest.raises(SelvedgeError, match="has no key"):
        keys.remove("web-shop")
