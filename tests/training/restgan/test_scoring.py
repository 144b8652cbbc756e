"""A ReStGAN candidate's scores: every subject on the same held-out words, and what the gate makes of them."""

from dataclasses import replace

import pytest

from evaluation.gate import decide
from evaluation.scores import ALL, CANDIDATE, CHAMPION, MEAN
from orchestration.families.restgan.declaration import NAME, rule
from orchestration.runtime.settings import Settings
from tests.training.restgan.synthetic import synthetic_bottoms
from tests.training.restgan.test_loop import TINY
from training.blip2.scoring import Incumbent
from training.restgan.candidate import Prepared, RestganCandidateSettings, train_candidate
from training.restgan.judge_training import JudgeSettings, train_judge
from training.restgan.scoring import OTHER_WORDS, PICTURES, REAL_PICTURES, score_restgan

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    bottoms = synthetic_bottoms(900, size=32)
    return Prepared(bottoms, train_judge(bottoms, JudgeSettings(epochs=60, device="cpu")))


@pytest.fixture(scope="module")
def scored(prepared, tmp_path_factory):
    """A candidate trained long enough to name colours, beside a champion that saw a sixtieth of that."""
    learning = replace(
        TINY, size=16, stages=1, images=24_000, batch_size=16, generator_width=16, discriminator_width=16,
        checkpoint_every=2000, sample_every=0,
    )  # fmt: skip
    settings = RestganCandidateSettings(base="none", restgan=learning)
    short = replace(settings, restgan=replace(settings.restgan, images=400))
    out = tmp_path_factory.mktemp("restgan")
    artefact = train_candidate(prepared, settings, out / "long").artefact
    champion = train_candidate(prepared, short, out / "short").artefact
    return score_restgan(artefact, prepared, family=NAME, candidate="c", champion=Incumbent("3", champion))


def figure(scores, subject, attribute=MEAN, metric="accuracy") -> float:
    chosen = scores[(scores["subject"] == subject) & (scores["attribute"] == attribute) & (scores["metric"] == metric)]
    return float(chosen.loc[chosen["slice"] == ALL, "value"].iloc[0])


def test_training_shows_between_floor_and_ceiling(scored):
    scores = scored.scores
    assert figure(scores, OTHER_WORDS) < figure(scores, CHAMPION) + 0.1
    assert figure(scores, CANDIDATE) > figure(scores, "base") + 0.15
    assert figure(scores, REAL_PICTURES) > 0.85
    assert figure(scores, REAL_PICTURES, "colour") >= figure(scores, CANDIDATE, "colour") - 0.15


def test_pictures_are_scored_as_a_whole_too(scored):
    for name in (CANDIDATE, CHAMPION, "base"):
        assert {"kid", "word_accuracy", "gain", "retention", "drift"} == set(
            scored.scores.loc[(scored.scores["subject"] == name) & (scored.scores["attribute"] == PICTURES), "metric"]
        )
    assert figure(scored.scores, CANDIDATE, PICTURES, "kid") < figure(scored.scores, "base", PICTURES, "kid")


def test_the_gate_asks_people_and_refuses_who_is_clearly_worse(scored, prepared):
    by_rule = replace(rule(Settings(_env_file=None)), minimum_rows=0)
    assert "are too few to tell" in " ".join(decide(rule(Settings(_env_file=None)), scored.evidence, "3").reasons)
    judged = decide(by_rule, scored.evidence, "3")
    assert not judged.promote and all("verdict is missing" in reason for reason in judged.reasons)
    assert decide(replace(by_rule, required=("metrics",)), scored.evidence, "3").promote
    stale = decide(by_rule, scored.evidence, "4")
    assert any("gathered against champion version 3" in reason for reason in stale.reasons)


def test_a_candidate_that_ignores_its_words_is_refused(prepared, tmp_path, scored):
    settings = RestganCandidateSettings(base="none", restgan=replace(TINY, images=8))
    untrained = train_candidate(prepared, settings, tmp_path).artefact
    found = score_restgan(untrained, prepared, family=NAME, candidate="c")
    by_rule = replace(rule(Settings(_env_file=None)), required=("metrics",), minimum_rows=0)
    decision = decide(by_rule, found.evidence, None)
    assert not decision.promote
    assert "floor:majority" in " ".join(decision.reasons)


def test_files_are_written_whole(scored, tmp_path):
    scored.write(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {
        *("scores.parquet", "evidence.json", "scores.png", "confusion.png", "refinements.png", "words.png")
    }
