"""Picture strips from two models to the report: both draw the same words, and a kept round needs no model."""

import json
import re
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from upath import UPath

from catalog.errors import SelvedgeError
from evaluation.preference_plan import PreferencePlan
from labeling.review.pairs.kinds import Descriptions, find_kind
from labeling.review.pairs.strips import PictureStrips, unpack_frames
from labeling.review.rounds.ballots import sync
from labeling.review.rounds.compared import ABOUT_FILE, keep, read_compared
from labeling.review.rounds.findings import gather_findings
from labeling.review.rounds.judging import close_round
from labeling.review.rounds.opening import RoundRequest, open_round
from labeling.review.rounds.report import write_round_report
from orchestration.assets.candidates import Opening
from orchestration.cli.main import run
from orchestration.families.registered import by_hand
from orchestration.families.restgan.contest import SEED, contest_on
from orchestration.families.restgan.contest import contest as contest_of
from orchestration.families.restgan.declaration import RESTGAN
from orchestration.registry.ledger import open_ledger
from orchestration.runtime import label_studio as server
from orchestration.runtime.settings import Settings
from tests.inference.tiny_restgan import save_tiny_restgan
from tests.labeling.review.rounds.paper_studio import PaperStudio
from tests.labeling.review.rounds_for_tests import NOON
from tests.orchestration.drawn_round import votes
from tests.orchestration.drawn_strips import (
    CANDIDATE,
    FAMILY,
    artefact_with_base,
    bottoms_catalogue,
    contenders,
    held_out,
    made_on,
    strip_contest,
)
from tests.training.restgan.synthetic import synthetic_bottoms
from training.restgan.dataset import TYPES, write_bottoms
from training.restgan.sampling import load_artefact

STRIPS = PictureStrips()
REQUEST = RoundRequest(FAMILY, CANDIDATE, STRIPS, 10, 3, 7, PreferencePlan(), gold_share=0.0)


@pytest.fixture(scope="module")
def contest(tmp_path_factory):
    return strip_contest(tmp_path_factory.mktemp("contest"))


@pytest.fixture(scope="module")
def compared(contest):
    return contest.compare(STRIPS)


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "home")


def test_both_draw_the_same_words_of_held_out_products_once_each(contest, compared):
    ours, theirs = compared.candidate, compared.opponent
    told = [name for name in ours if name != "frames"]
    assert ours[told].equals(theirs[told]) and not (ours["frames"] == theirs["frames"]).any()
    assert ours["query"].is_unique and set(ours["product_id"]) <= set(contest.bottoms.rows["product_id"])
    asked = dict(zip(contest.bottoms.rows["product_id"], contest.bottoms.rows["query"], strict=True))
    assert all(query == asked[one] for one, query in zip(ours["product_id"], ours["query"], strict=True))
    assert set(compared.splits["split"]) == {"test"} and set(compared.products["article_type"]) <= set(TYPES)


def test_a_strip_is_what_the_model_itself_draws_for_the_words(contest, compared):
    model, row = contest.load_candidate(), 3
    words = list(compared.candidate["words"].iloc[row])
    noise = model.noise(len(compared.candidate), SEED)
    one = type(noise)(noise.z[row : row + 1], noise.epsilon[row : row + 1])
    encoded = model.encode(" ".join(words))
    assert list(encoded.texts) == words
    [expected] = model.draw_encoded(encoded.words[None], encoded.colour_words[None], np.array([len(words)]), one)
    got = unpack_frames(compared.candidate["frames"].iloc[row], len(words))
    assert np.abs(got.astype(int) - expected.astype(int)).max() <= 1  # a batch of another size may round otherwise


def test_the_colour_asked_is_that_of_the_colour_word(contest, compared):
    table = contest.bottoms.colours
    for row in compared.candidate.itertuples():
        named = [at for at, word in enumerate(row.words) if table.cluster(word) >= 0]
        assert row.colour_at == (named[0] if named else -1)
        if named:
            centre = table.centres[table.cluster(row.words[row.colour_at])]
            assert np.allclose((row.asked_l, row.asked_a, row.asked_b), centre)


def test_the_same_model_on_both_sides_gives_the_same_tables(contest):
    same = replace(contest, load_opponent=contest.load_candidate).compare(STRIPS)
    assert same.candidate.equals(same.opponent)
    assert same.results()["candidate"] == same.results()["opponent"]


def test_the_folder_of_a_round_gives_back_every_table(compared, tmp_path):
    folder = UPath(tmp_path / "round")
    keep(compared, folder, "plan")
    again = read_compared(folder, [STRIPS])
    assert again.results() == compared.results() and (again.kind, again.schema) == (STRIPS, None)
    assert {one.name for one in folder.iterdir()} == {
        ABOUT_FILE, *(f"{name}.parquet" for name in ("candidate", "opponent", "products", "splits"))
    }  # fmt: skip


def test_a_cut_short_opening_is_completed_from_the_folder_and_reported_without_a_model(settings, contest, tmp_path):
    ledger, studio = open_ledger(settings), PaperStudio()
    first = open_round(settings.rounds(), ledger, studio, REQUEST, lambda: contest)
    plan = first.round.plan
    assert (plan.opponent, plan.opponent_version) == ("base", contest.opponent_version)
    studio.tasks[1] = studio.tasks[1][:4]

    def gone():
        raise AssertionError("the round's folder is all that is needed")

    again = open_round(settings.rounds(), ledger, studio, REQUEST, gone)
    assert again.resumed and sorted(studio.tasks[1]) == sorted(ledger.pairs(plan.round_id))
    sync(ledger, plan.round_id, votes(ledger, 0.6, name=plan.round_id), now=NOON + timedelta(days=30))
    close_round(settings.rounds(), ledger, plan.round_id, undecided=True)
    found = gather_findings(ledger, plan.round_id, read_compared(settings.rounds() / plan.round_id, [STRIPS]))
    assert {row.name for row in found.slices["type"]} <= set(TYPES) and found.slices["colour"]
    page = write_round_report(settings.rounds(), ledger, plan.round_id, tmp_path / "page.html", [STRIPS]).read_text()
    assert f"beside the weights it began with (version {contest.opponent_version}): two picture strips" in page
    assert '<h4 class="o">The weights it began with</h4>' in page and "the base of restgan" not in page
    assert page.count('<img class="strip"') == 2 * len(found.pairs) > 0
    assert re.findall(r"(?:src|href)=\"(?!data:|#)[^\"]*", page) == []


def test_a_family_is_shown_in_its_own_kinds_only(compared, tmp_path):
    with pytest.raises(SelvedgeError, match="restgan is compared in picture-strips, not in descriptions; choose one"):
        find_kind([STRIPS], "descriptions", FAMILY)
    keep(compared, UPath(tmp_path), "plan")
    with pytest.raises(SelvedgeError, match=r"kind 'picture-strips', which its family is not .* \(descriptions\)"):
        read_compared(UPath(tmp_path), [Descriptions()])


def test_what_cannot_be_compared_is_one_sentence(contest, settings, tmp_path):
    with pytest.raises(SelvedgeError, match="part test of the bottoms is empty; read more products"):
        replace(contest, bottoms=contest.bottoms.take([])).compare(STRIPS)
    alone = save_tiny_restgan(tmp_path / "alone", 1)
    with pytest.raises(SelvedgeError, match=rf"the weights that {CANDIDATE} began with cannot stand in: .*base"):
        contest_on(contenders(alone), held_out())
    ledger = open_ledger(settings)
    with pytest.raises(SelvedgeError, match=r"needs \d+ test products .* lower the plan's items"):
        open_round(settings.rounds(), ledger, None, replace(REQUEST, items=4000), lambda: contest)
    with pytest.raises(SelvedgeError, match=r"an error can be planted in \d+ test products only"):
        open_round(settings.rounds(), ledger, None, replace(REQUEST, gold_share=0.5), lambda: contest)
    assert ledger.rounds() == [] and not settings.objects().exists()


@pytest.mark.parametrize("champion", [None, "3"])
def test_a_registered_candidate_meets_the_champion_or_what_it_began_with(champion, tmp_path):
    write_bottoms(synthetic_bottoms(300, size=16), tmp_path / "bottoms")
    opening = Opening(FAMILY, {}, "d" * 64, {"bottoms": str(tmp_path / "bottoms")})
    folder = artefact_with_base(tmp_path / "candidate")
    other = None if champion is None else (champion, save_tiny_restgan(tmp_path / "champion", 2))
    found = contest_of(contenders(folder, other, opening))
    place = folder / "base" if other is None else other[1]
    assert found.load_opponent().digest == load_artefact(place).digest != found.load_candidate().digest
    assert (found.opponent, found.opponent_version) == (
        ("champion", "3") if other else ("base", f"base-{load_artefact(place).digest[:12]}")
    )
    assert set(found.bottoms.rows["part"]) == {"test"}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    return bottoms_catalogue(tmp_path_factory.mktemp("shop"))


def test_two_folders_are_compared_on_the_bottoms_of_a_catalogue(catalog, tmp_path):
    folder = made_on(artefact_with_base(tmp_path / "candidate"), catalog)
    found = contest_of(by_hand(RESTGAN, "by-hand", folder, None, catalog))
    digest = load_artefact(folder).digest
    assert (found.candidate_version, found.opponent) == (f"model-{digest[:12]}", "base")
    tables = found.compare(STRIPS)
    assert len(tables.candidate) > 20 and tables.candidate["query"].is_unique
    beside = contest_of(by_hand(RESTGAN, "by-hand", folder, save_tiny_restgan(tmp_path / "other", 9), catalog))
    assert beside.opponent == "champion" and beside.opponent_version.startswith("model-")
    assert set(found.bottoms.rows["part"]) == {"test"}


def test_a_candidate_is_compared_on_its_own_bottoms_only(catalog, tmp_path):
    """Of another catalogue's nobody knows which it has learnt by heart."""
    folder = made_on(artefact_with_base(tmp_path / "candidate"), catalog)
    other = bottoms_catalogue(tmp_path / "other", 330)
    with pytest.raises(SelvedgeError, match="was trained on other bottoms than this catalogue gives; give its own"):
        contest_of(by_hand(RESTGAN, "by-hand", folder, None, other))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("--model {alone} --catalog {catalog}", "lacks judge.safetensors; give a folder written by"),
        ("--model {nowhere} --catalog {catalog}", "nowhere"),
        ("--model {alone} --catalog {nowhere}", "is no complete catalogue directory"),
    ],
)
def test_the_command_refuses_in_one_sentence(arguments, told, catalog, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SELVEDGE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(server, "connect", lambda settings: PaperStudio())
    places = {"alone": save_tiny_restgan(tmp_path / "alone"), "catalog": catalog, "nowhere": tmp_path / "nowhere"}
    assert run(["review", "open", FAMILY, *arguments.format(**places).split()]) == 1
    captured = capsys.readouterr()
    assert captured.out == "" and told in captured.err and "Traceback" not in captured.err


def test_a_round_of_two_folders_by_command(catalog, tmp_path, monkeypatch, capsys):
    studio = PaperStudio()
    monkeypatch.setenv("SELVEDGE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(server, "connect", lambda settings: studio)
    made_on(artefact_with_base(tmp_path / "run" / "artefact"), catalog)
    model = ["--model", str(tmp_path / "run"), "--catalog", str(catalog)]
    assert run(["review", "open", FAMILY, *model, "--items", "8", "--gold", "0", "--json"]) == 0
    opened = json.loads(capsys.readouterr().out)
    assert (opened["kind"], opened["opponent"], opened["pairs"]) == (STRIPS.name, "base", 10)
    assert len(studio.tasks[1]) == 10
