"""The report of a round: it tells the sides, so only after the verdict; and it needs nothing but itself."""

import re

import pytest

from catalog.errors import SelvedgeError
from labeling.review.rounds.compared import read_compared
from labeling.review.rounds.findings import gather_findings
from labeling.review.rounds.judging import close_round
from labeling.review.rounds.report import write_round_report
from tests.labeling.review.rounds.drawn_round import KINDS, NAME, RoundsHome, opened, voted


@pytest.fixture
def settings(tmp_path):
    return RoundsHome.at(tmp_path / "home")


def test_no_report_before_the_verdict(settings, tmp_path):
    ledger = opened(settings)
    voted(ledger, 0.85)
    for _ in range(2):
        with pytest.raises(SelvedgeError, match="not judged, and its report would tell the sides"):
            write_round_report(settings.rounds(), ledger, NAME, tmp_path / "page.html", KINDS)
        ledger.close_round(NAME)
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_page_says_everything_and_asks_the_network_for_nothing(settings, tmp_path, kind):
    ledger = opened(settings, kind)
    voted(ledger, 0.85)
    verdict = close_round(settings.rounds(), ledger, NAME)
    page = write_round_report(settings.rounds(), ledger, NAME, tmp_path / "deep" / "page.html", KINDS).read_text()
    plan = ledger.round(NAME).plan
    said = [plan.candidate, plan.sha256, verdict.evidence_sha256, verdict.ballots_sha256, "scripted annotators"]
    said += ["People preferred the candidate", "Krippendorff", "identical pairs", "design effect"]
    assert [phrase for phrase in said if phrase not in page] == []
    disputed = len(gather_findings(ledger, NAME, read_compared(settings.rounds() / NAME, KINDS)).pairs)
    assert 5 <= disputed <= 10, "a round's key is drawn anew, and with it which pairs are plain"
    assert page.count(f'class="pair {kind.name}"') == page.count("data:image/jpeg") == disputed
    assert re.findall(r"(?:src|href)=\"(?!data:|#)[^\"]*", page) == [] and "<script" not in page
    assert "nan" not in re.sub(r"data:image/[^\"]*", "", page).lower().replace("covenant", "")


def test_a_round_that_nobody_voted_in_has_a_report(settings, tmp_path):
    ledger = opened(settings)
    close_round(settings.rounds(), ledger, NAME, undecided=True)
    page = write_round_report(settings.rounds(), ledger, NAME, tmp_path / "page.html", KINDS).read_text()
    assert "The ballots do not decide" in page and "No ballot counts." in page


def test_the_most_disputed_pairs_come_first_and_show_both_sides_as_they_were_seen(settings):
    ledger = opened(settings)
    voted(ledger, 0.6)
    close_round(settings.rounds(), ledger, NAME, undecided=True)
    content = read_compared(settings.rounds() / NAME, KINDS)
    gathered = gather_findings(ledger, NAME, content)
    scores = [pair.disagreement for pair in gathered.pairs]
    assert len(scores) == 10 and scores == sorted(scores, reverse=True) and scores[-1] > 0
    first = gathered.pairs[0]
    values = content.candidate[content.candidate["product_id"] == first.product_id]
    shown = values.loc[~values["abstained"].astype(bool), "value"]
    assert all(value in first.candidate for value in shown) and len(first.votes) == 5, "each annotator's"
    assert {row.name for row in gathered.slices["gender"]} == {"Men", "Women"}
    counted = gathered.standing.judgement.counts
    assert sum(row.won for row in gathered.slices["gender"]) == counted["candidate"]


def test_ballots_of_an_excluded_rater_are_told_and_not_counted(settings, tmp_path):
    ledger = opened(settings)
    voted(ledger, 0.85, raters=3, laziness=0.9)
    close_round(settings.rounds(), ledger, NAME, undecided=True)
    gathered = gather_findings(ledger, NAME, read_compared(settings.rounds() / NAME, KINDS))
    assert sum(rater.ballots for rater in gathered.raters) == len(ledger.ballots(NAME)) > 0
    assert all(rater.excluded and rater.simulated for rater in gathered.raters)
    assert gathered.pairs == () and gathered.path.empty and gathered.model is None
    page = write_round_report(settings.rounds(), ledger, NAME, tmp_path / "page.html", KINDS).read_text()
    assert "3 left out by the rules of the plan" in page and "rater excluded 120" in page


def test_versions_are_ranked_over_all_rounds_that_a_chain_joins(settings, tmp_path):
    rounds = (("first-one", "3", "base-1", 0.7), (NAME, "4", "3", 0.9), ("elsewhere", "9", "8", 0.6))
    for number, (name, candidate, opponent, preference) in enumerate(rounds):
        names = {"round_id": name, "candidate": f"c{candidate}", "candidate_version": candidate}
        ledger = opened(settings, project=number + 1, opponent_version=opponent, **names)
        voted(ledger, preference, name=name)
        close_round(settings.rounds(), ledger, name, undecided=True)
        gathered = gather_findings(ledger, name, read_compared(settings.rounds() / name, KINDS))
        assert [row[0] for row in gathered.family_rows] == (["4", "3", "base-1"] if name == NAME else [])
    page = write_round_report(settings.rounds(), ledger, NAME, tmp_path / "page.html", KINDS).read_text()
    assert "All versions of blip2-attributes" in page
    assert (
        "All versions of"
        not in write_round_report(settings.rounds(), ledger, "elsewhere", tmp_path / "other.html", KINDS).read_text()
    )
