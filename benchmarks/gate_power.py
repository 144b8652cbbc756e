"""How often each family's scores let a candidate pass, by how much better or worse it truly is: power and size.

Belongs here: simulated answers to the test rows that `make demo` asks, judged by the families' own rules as the gate
judges them. Not here: the verdict of people, which every rule asks for, too (benchmarks/preference.py).

Answers of blip2-attributes: the champion is right on 80 % of the rows of every attribute. A candidate gives the
champion's answer on a part of the rows (`AGREEMENT`) and answers the others by itself with the same accuracy; then it
is made better or worse. Wrong answers are other values of the attribute, by their frequency. restgan: right or wrong
about type, colour and gender of as many test bottoms as stand in the table. ad-ranker: pairs of a picked and another
picture, three to a pick.

Beside each figure stands the same rule with the point estimate alone (a loss above the limit on any attribute blocks,
noise or not), which was the rule before.

Run: `python -m benchmarks.gate_power [--trials 200] [--json]`. Some minutes on two cores.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from catalog.drawn import draw_catalogue
from catalog.qa import make_qa_pairs
from catalog.reading import read_catalogue
from catalog.schema import load_schema
from catalog.splits import assign_splits
from evaluation.evidence import Evidence, GateRule, metrics_evidence
from evaluation.gate import decide
from evaluation.scores import BASE, CANDIDATE, CHAMPION, ScoreSettings, labelled_rows, score_subjects
from orchestration.families.ad_ranker.declaration import rule as ranker_rule
from orchestration.families.blip2_attributes.declaration import rule as attributes_rule
from orchestration.families.restgan.declaration import rule as restgan_rule
from orchestration.runtime.settings import Settings

PRODUCTS, SEED = 3600, 7  # what `make demo` draws first
ACCURACY, AGREEMENT = 0.8, 0.8
RESAMPLES = 300
CHUNK = 10
GAINS = (-0.04, -0.02, 0.0, 0.02, 0.04, 0.06)
BOTTOMS = (59, 100, 201, 400)
PICKS = (40, 100, 200)


@dataclass(frozen=True)
class Scenario:
    """gain: of accuracy on every attribute (of pairs for the ranker). lost: accuracy lost on one attribute on top, and
    which: the one with most or with fewest rows. size: test bottoms, or held-out picks."""

    family: str
    gain: float
    lost: float = 0.0
    which: str = ""
    size: int = 0

    @property
    def name(self) -> str:
        lost = f", {self.lost:.2f} worse on the attribute with {self.which} rows" if self.lost else ""
        return f"{self.gain:+.2f} everywhere{lost}"


SCENARIOS = (
    *(Scenario("blip2-attributes", gain) for gain in GAINS),
    *(Scenario("blip2-attributes", 0.04, 0.12, which) for which in ("most", "fewest")),
    *(Scenario("restgan", gain, size=size) for size in BOTTOMS for gain in (-0.1, 0.0, 0.05)),
    *(Scenario("ad-ranker", gain, size=size) for size in PICKS for gain in (0.0, 0.05, 0.1)),
)


def demo_rows(work: Path) -> pd.DataFrame:
    """The test rows of the demo's first drop, without their pictures: labelled rows as `score_subjects` wants them."""
    folder = work / "drawn"
    draw_catalogue(folder, PRODUCTS, SEED, size=64)
    products = read_catalogue(str(folder), "drawn").products
    pairs = make_qa_pairs(products, assign_splits(products), load_schema(), "details")
    return labelled_rows(pairs.table.to_pandas(), products.to_pandas(), "test")


def bottoms_rows(size: int) -> pd.DataFrame:
    """Test rows of as many bottoms: type, colour and gender, with as many values as the judge tells apart."""
    rng = np.random.default_rng(size)
    frame = pd.DataFrame({"product_id": np.arange(size), "group_id": [f"g{number}" for number in range(size)]})
    columns = {"article_type": "type", "gender": "person", "base_colour": "colour"}
    parts = [
        frame.assign(**columns, attribute=attribute, truth=rng.integers(values, size=size).astype(str))
        for attribute, values in (("type", 5), ("gender", 4), ("colour", 12))
    ]
    return pd.concat(parts, ignore_index=True)


def simulated_evidence(rows: pd.DataFrame, scenario: Scenario, rng: np.random.Generator) -> Evidence:
    """Evidence about one candidate that was judged beside one champion on these rows."""
    champion = rng.random(len(rows)) < ACCURACY
    own = rng.random(len(rows)) < ACCURACY
    candidate = np.where(rng.random(len(rows)) < AGREEMENT, champion, own)
    change = pd.Series(scenario.gain, index=rows.index)
    if scenario.lost:
        counts = rows["attribute"].value_counts()
        attribute = counts.idxmax() if scenario.which == "most" else counts.idxmin()
        change[rows["attribute"] == attribute] -= scenario.lost
    mended = rng.random(len(rows)) < (change / (1 - ACCURACY)).to_numpy()
    broken = rng.random(len(rows)) < (-change / ACCURACY).to_numpy()
    right = {CANDIDATE: (candidate | mended) & ~broken, CHAMPION: champion, BASE: rng.random(len(rows)) < 0.1}
    wrong = {subject: _wrong_answers(rows, np.random.default_rng(rng.integers(2**32))) for subject in right}
    right |= {"floor:majority": rng.random(len(rows)) < 0.3}
    wrong["floor:majority"] = wrong[BASE]
    answers = {
        subject: rows.assign(
            value=np.where(values, rows["truth"], wrong[subject]),
            confidence=np.nan,
            abstained=False,
            in_vocabulary=True,
        )
        for subject, values in right.items()
    }
    settings = ScoreSettings(resamples=RESAMPLES, slices=())
    return metrics_evidence(score_subjects(answers, scenario.family, "candidate", settings), "1", "0" * 64)


def _wrong_answers(rows: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """(rows,) another value of the row's attribute, by frequency among its rows."""
    wrong = np.empty(len(rows), dtype=object)
    for positions in rows.groupby("attribute").indices.values():
        truth = rows["truth"].to_numpy(dtype=object)[positions]
        drawn = rng.choice(truth, len(truth))
        for _ in range(50):
            same = drawn == truth
            drawn[same] = rng.choice(truth, int(same.sum()))
        wrong[positions] = np.where(drawn == truth, None, drawn)
    return wrong


def pair_evidence(scenario: Scenario, rng: np.random.Generator) -> Evidence:
    """Evidence about a ranker on held-out picks: three pairs each, champion right in 65 % of them."""
    from evaluation.intervals import GroupResamples, interval, resampled_mean
    from evaluation.tables import SCORES
    from training.ad_ranker.scoring import PAIR_ACCURACY, PICK, RANDOM

    shares = {CHAMPION: 0.65, CANDIDATE: 0.65 + scenario.gain, BASE: 0.55, RANDOM: 0.5}
    right = {subject: rng.binomial(3, share, scenario.size) / 3 for subject, share in shares.items()}
    weights = GroupResamples(map(str, range(scenario.size)), RESAMPLES).row_weights(map(str, range(scenario.size)))
    figures = {(subject, PAIR_ACCURACY): values for subject, values in right.items()}
    for rival in (CHAMPION, BASE, RANDOM):
        name = "floor" if rival == RANDOM else rival
        figures[CANDIDATE, f"{PAIR_ACCURACY}_minus_{name}"] = right[CANDIDATE] - right[rival]
    table = []
    for (subject, metric), values in figures.items():
        bounds = interval(float(values.mean()), resampled_mean(values, weights))
        figure = (float(values.mean()), bounds.low, bounds.high, scenario.size)
        table += [
            (scenario.family, "candidate", subject, attribute, "all", metric, *figure) for attribute in (PICK, "mean")
        ]
    return metrics_evidence(pd.DataFrame(table, columns=SCORES.names), "1", "0" * 64)


def rules() -> dict[str, GateRule]:
    settings = Settings()
    return {made.family: made.of_scores() for made in (rule(settings) for rule in _RULES)}


_RULES = (attributes_rule, restgan_rule, ranker_rule)


def by_point(rule: GateRule, evidence: Evidence) -> tuple[GateRule, Evidence]:
    """The rule as it was before noise on single attributes, floors and few rows were in it."""
    kept = [s for s in evidence.scores if s.attribute == "mean" or not s.metric.endswith("_minus_champion")]
    rivals = tuple(rival for rival in rule.beats if rival != "floor")
    return replace(rule, beats=rivals, minimum_rows=0), replace(evidence, scores=tuple(kept))


def play(job: tuple[Scenario, pd.DataFrame | None, int, int]) -> tuple[int, int, int]:
    """Trials, and of them promotions by the rule and by the point estimate."""
    scenario, rows, trials, seed = job
    rng, rule = np.random.default_rng(seed), rules()[scenario.family]
    passed = before = 0
    for _ in range(trials):
        evidence = pair_evidence(scenario, rng) if rows is None else simulated_evidence(rows, scenario, rng)
        passed += decide(rule, evidence, "1").promote
        before += decide(*by_point(rule, evidence), "1").promote
    return trials, passed, before


def jobs(work: Path, trials: int) -> Iterator[tuple[Scenario, pd.DataFrame | None, int, int]]:
    demo = demo_rows(work)
    rows = {"blip2-attributes": lambda size: demo, "restgan": bottoms_rows, "ad-ranker": lambda size: None}
    for number, scenario in enumerate(SCENARIOS):
        for start in range(0, trials, CHUNK):
            made = rows[scenario.family](scenario.size)
            yield scenario, made, min(CHUNK, trials - start), 1000 * number + start


def measure(work: Path, trials: int) -> list[dict[str, object]]:
    tallies: dict[Scenario, np.ndarray] = {}
    sizes: dict[Scenario, int] = {}
    started, all_jobs = time.monotonic(), list(jobs(work, trials))
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for done, (job, counts) in enumerate(zip(all_jobs, pool.map(play, all_jobs), strict=True), start=1):
            tallies[job[0]] = tallies.get(job[0], np.zeros(3, int)) + counts
            sizes[job[0]] = job[0].size if job[1] is None or job[0].size else len(job[1])
            left = (time.monotonic() - started) / done * (len(all_jobs) - done)
            print(f"\r{done}/{len(all_jobs)}, {left:.0f} s left ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    table = []
    for scenario, (count, passed, before) in tallies.items():
        interval = binomtest(int(passed), int(count)).proportion_ci(method="wilson")
        table.append(
            {
                "family": scenario.family,
                "test_rows": sizes[scenario],
                "candidate": scenario.name,
                "passes": float(passed / count),
                "low": float(interval.low),
                "high": float(interval.high),
                "by_point_estimate": float(before / count),
            }
        )
    return table


def report(table: list[dict[str, object]], trials: int) -> str:
    lines = [
        f"Scores let a candidate pass, {trials} simulated candidates a row\n",
        "| family | test rows | candidate against champion | passes | by the point estimate alone |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in table:
        passes = f"{row['passes']:.0%} [{row['low']:.0%}, {row['high']:.0%}]"
        lines.append(
            f"| {row['family']} | {row['test_rows']} | {row['candidate']} | {passes} | {row['by_point_estimate']:.0%} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        table = measure(Path(work), arguments.trials)
    print(json.dumps(table, indent=1) if arguments.json else report(table, arguments.trials))


if __name__ == "__main__":
    main()
