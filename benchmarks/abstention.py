"""How often a threshold of abstention keeps the risk that it states, by the number of validation rows.

Belongs here: simulated models with right confidences, whose true risk at every threshold is therefore known; thresholds
by the upper bound (`training.blip2.calibration.choose_threshold`), and beside it by the share of errors itself, which
was the rule before. Not here: risk and coverage of a real model (its scores).

Run: `python -m benchmarks.abstention [--trials 500]`. Half a minute on one core.
"""

import argparse

import numpy as np

from evaluation.classification import coverage_risk
from training.blip2.calibration import choose_threshold

RISK = 0.1
ROWS = (40, 100, 200, 400, 1500)
# Beta distributions of confidence: right in 75 % and in 55 % of answers.
MODELS = {"right in 75 %": 3.0, "right in 55 %": 1.2}
POPULATION = 200_000


def by_share(confidence: np.ndarray, right: np.ndarray, risk: float) -> float:
    """The threshold that gives most answers with at most `risk` of them wrong among these very rows."""
    curve = coverage_risk(confidence, right)
    allowed = np.flatnonzero(curve.risk <= risk)
    return float(curve.threshold[allowed[-1]]) if len(allowed) else 2.0


def measure(shape: float, rows: int, trials: int, seed: int) -> dict[str, tuple[float, float, float]]:
    """rule -> share of models whose true risk exceeds the stated one, their mean coverage, their 90th percentile of
    true risk."""
    rng = np.random.default_rng(seed)
    sure = np.sort(rng.beta(shape, 1, POPULATION))[::-1]
    risk_at = np.cumsum(1 - sure) / np.arange(1, POPULATION + 1)
    outcomes: dict[str, list[tuple[float, float]]] = {"upper bound": [], "share": []}
    for _ in range(trials):
        confidence = rng.beta(shape, 1, rows)
        right = rng.random(rows) < confidence
        for rule, choose in (("upper bound", choose_threshold), ("share", by_share)):
            answered = int(np.searchsorted(-sure, -choose(confidence, right, RISK), side="right"))
            outcomes[rule].append((risk_at[answered - 1] if answered else 0.0, answered / POPULATION))
    table = {}
    for rule, pairs in outcomes.items():
        risks, coverage = np.array(pairs).T
        table[rule] = (float((risks > RISK).mean()), float(coverage.mean()), float(np.percentile(risks, 90)))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=500)
    arguments = parser.parse_args()
    print(
        f"Stated risk {RISK:.0%}, {arguments.trials} models a row: risk exceeded · 90th percentile of risk · coverage\n"
    )
    print("| model | validation rows | by the upper bound | by the share of errors |\n| --- | --- | --- | --- |")
    for number, (name, shape) in enumerate(MODELS.items()):
        for rows in ROWS:
            table = measure(shape, rows, arguments.trials, 100 * number + rows)
            cells = [f"{over:.0%} · {high:.3f} · {coverage:.0%}" for over, coverage, high in table.values()]
            print(f"| {name} | {rows} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
