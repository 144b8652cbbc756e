"""Families on the page: whatever a declaration brings is shown, and nothing else is known of it."""

import re
from dataclasses import replace
from types import SimpleNamespace

import dagster as dg
import pandas as pd
import pytest

from evaluation.evidence import GateRule
from evaluation.gate import VERDICT, without_gain
from labeling.review.rounds.summary import RoundSummary
from orchestration.assets.partitions import candidate_partitions
from orchestration.families.section import Promotion, Section, SectionSource
from orchestration.graph.evidence import evidence_place, sign_evidence
from orchestration.report import family as of_family
from orchestration.report import write_report
from orchestration.report.commands import next_commands
from orchestration.report.family import newest_candidate
from orchestration.report.home import Home
from orchestration.report.hops import BROKEN, CHECKED
from orchestration.report.lineage import lineage
from orchestration.report.model_hops import _evidence
from orchestration.runtime.settings import Settings
from tests.orchestration.registering import evidence_of
from tests.orchestration.report.small_home import DROP, SmallHome
from tests.orchestration.toy_family import toy_family

TEMPLATE = """{% from 'family.html.jinja' import promoted, round %}
<h2 id="toy">Toys &amp; {{ what }}</h2>{{ round(summary) }}{{ promoted(promotion) }}
"""
ROUND = RoundSummary(
    "r-1", "toy pairs", "the base", 20, "preferred", ["e-value 3e+07 <now>"], {"candidate": 9, "champion": 1, "tie": 2,
    "both_bad": 0}, 0.9, 0.6, 1.0, 3, {"eve": "too fast"}, True, None, "reports/r-1.html",
)  # fmt: skip
PROMOTION = Promotion("toy-2", "3", True, ["better"], "champion version 2", False)


@pytest.fixture
def home(tmp_path):
    made = SmallHome(tmp_path)
    made.read_drop()
    return made


@pytest.fixture
def family(tmp_path):
    folder = tmp_path / "toy"
    folder.mkdir()
    (folder / "part.html.jinja").write_text(TEMPLATE)

    def section(source: SectionSource) -> Section | None:
        if source.candidate is None:
            return None
        values = {"what": "<games>", "summary": ROUND, "promotion": PROMOTION}
        return Section({"toy": "Toys"}, folder / "part.html.jinja", values, [("0.75", "of toys")], PROMOTION)

    return replace(toy_family(), section=section)


def scored(home, family, *candidates):
    """Candidates of the family, scored in this order."""
    home.instance.add_dynamic_partitions(candidate_partitions(family.name).name, list(candidates))
    for candidate in candidates:
        home.say("/".join(family.scores.path), candidate, rows=3, sha256="5" * 64)


def page_of(home, *families):
    out = home.settings.home / "page.html"
    return write_report(home.instance, home.settings, families, out).read_text()


def test_a_family_brings_its_section_its_figures_and_its_place_in_the_navigation(home, family, monkeypatch):
    scored(home, family, "toy-1", "toy-2")
    asked = []
    monkeypatch.setattr(of_family, "promotion", lambda _, of, candidate: asked.append(candidate))
    monkeypatch.setattr(of_family, "round_summary", lambda *_: None)
    page = page_of(home, family)
    assert asked == ["toy-2"], "the newest"
    assert '<a href="#toy">Toys</a><a href="#products">' in page and "<b>0.75</b><span>of toys</span>" in page
    assert "Toys &amp; &lt;games&gt;" in page and "e-value 3.0 × 10⁷ &lt;now&gt;" in page.replace("E-value", "e-value")
    assert page.count("was promoted to champion as version 3") == 2, "once at the top, once in the section"
    assert re.findall(r"(?:src|href)=\"(?!data:|#|reports/)[^\"]*", page) == [] and "<script" not in page


def test_words_outside_the_vocabulary_and_planted_rows_are_shown_where_there_are_any(home, family, monkeypatch):
    assert "Words outside the vocabulary" not in (plain := page_of(home, family)) and "--no-faults" not in plain
    monkeypatch.setattr("orchestration.report.catalogue.odd_words", lambda counts: [("article_type", "<Tee>", 3)])
    monkeypatch.setattr("orchestration.report.catalogue._planted", lambda source: 9)
    page = page_of(home, family)
    assert "Words outside the vocabulary: article type “&lt;Tee&gt;” 3.</p>" in page
    assert "The demo planted 9 of them on purpose; <code>selvedge demo --no-faults</code>" in page


def test_evidence_of_before_signatures_is_read_and_the_pages_say_so(home):
    family, evidence = toy_family(), evidence_of("toy", "toy-1", None)
    place = evidence_place(family, home.tables, "toy-1")
    place.parent.mkdir(parents=True)
    place.write_text(evidence.to_json())
    home.say("/".join(family.scores.path), "toy-1", sha256="5" * 64, evidence_sha256=evidence.sha256)
    sources = SimpleNamespace(home=Home(home.instance, home.settings), asset_page=lambda *_: None)
    assert "written before evidence was signed" in of_family.promotion(sources.home, family, "toy-1").remark
    hop = _evidence(sources, family, "toy-1")
    assert hop.state == CHECKED and "no signature" in hop.note
    sign_evidence(family, home.tables, home.settings, evidence, "5" * 64)
    assert of_family.promotion(sources.home, family, "toy-1").remark == ""
    assert _evidence(sources, family, "toy-1").note == "evidence hashed again"
    sign_evidence(family, home.tables, home.settings, evidence, "6" * 64)
    assert _evidence(sources, family, "toy-1").state == BROKEN


def test_a_family_with_nothing_to_show_leaves_no_trace(home, family):
    page = page_of(home, family, replace(toy_family(), name="other"))
    assert "Toys" not in page and '<h2 id="products">' in page
    assert "rollback" not in page, "there is no candidate whose promotion could be undone"


def test_the_newest_scored_candidate_is_the_one_that_is_reported(home, family):
    seen = Home(home.instance, home.settings)
    assert newest_candidate(seen, family) is None
    scored(home, family, "toy-1", "toy-2")
    home.instance.add_dynamic_partitions(candidate_partitions(family.name).name, ["toy-3"])  # not scored yet
    assert newest_candidate(seen, family) == "toy-2"


def test_lineage_follows_the_declaration_and_leaves_out_what_was_never_made(home, family):
    prepared = dg.AssetKey(["training", "toy_things"])
    family = replace(family, prepared=("/".join(prepared.path),), publishes="inference/toys")
    scored(home, family, "toy-1")
    home.say("training/toy_things", digest="d" * 64)
    home.say("inference/toys", DROP, **{"MLflow run": dg.MetadataValue.url("http://mlflow/1")})
    steps = lineage(Home(home.instance, home.settings), [family])
    assert [step.asset for step in steps] == [
        "catalog/products", "catalog/quarantine", "catalog/images", "catalog/splits", "catalog/qa_pairs",
        "training/toy_things", "/".join(family.scores.path), "inference/toys",
    ]  # fmt: skip
    by_asset = {step.asset: step for step in steps}
    assert (by_asset["catalog/products"].rows, by_asset["catalog/products"].partition) == (12, DROP)
    assert (by_asset["training/toy_things"].sha256, by_asset["training/toy_things"].rows) == ("d" * 64, None)
    assert (by_asset["inference/toys"].sha256, by_asset["inference/toys"].link) == ("v1", "http://mlflow/1")


def test_commands_name_the_home_unless_it_is_the_usual_one(tmp_path):
    usual = next_commands(Settings(), "toy")
    assert ("make up", "Dagster, MLflow and Label Studio with one link each") in usual
    assert "rollback" not in str(usual), "nothing was champion before"
    goes_back = [command for command, _ in next_commands(Settings(), "toy", goes_back=True)]
    assert ".venv/bin/selvedge rollback toy" in goes_back and len(goes_back) == len(usual) + 1
    elsewhere = [command for command, _ in next_commands(Settings(home=tmp_path / "a home"), None)]
    assert elsewhere[0] == f"SELVEDGE_HOME='{tmp_path}/a home' make up" and len(elsewhere) == 3


def test_scores_of_a_family_without_any_are_an_empty_table(home, family):
    source = of_family.section_source(Home(home.instance, home.settings), family)
    assert (source.candidate, source.round, source.promotion) == (None, None, None)
    assert isinstance(source.scores, pd.DataFrame) and source.scores.empty and source.picture("x.png", "x") is None


@pytest.mark.parametrize(
    ("gain", "simulated", "remark"),
    [
        (0.1, True, ""),
        (
            -0.012,
            True,
            "no measurable gain (-0.012): it is non-inferior by rule (margin 0.05) and was preferred by scripted",
        ),
        (
            0.01,
            False,
            "no measurable gain (+0.010): it is non-inferior by rule (margin 0.05) and was preferred by people",
        ),
    ],
)
def test_a_promotion_without_a_measurable_gain_reads_as_one(gain, simulated, remark):
    evidence = replace(evidence_of("toy", "toy-1", None, better_by=gain), others={VERDICT: {"simulated": simulated}})
    said = without_gain(GateRule("toy", tolerance=0.05), evidence)
    assert remark in said and bool(said) == bool(remark)
