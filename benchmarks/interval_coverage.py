"""Intervals over a few trainings in simulation: how often they hold the truth, and how wide they are.

Belongs here: figures of a known truth, whose variance trainings and prompts share, and their 95 % intervals as
`evaluation.hierarchical` makes them and as it made them before. Not here: intervals over products alone
(evaluation/intervals.py, whose docstring says what was measured).

  drawn      trainings are drawn with replacement, one fewer than there are, as it was before
  Student's  as it is

Run: `python -m benchmarks.interval_coverage [--trials N]`; the table is Markdown. 1,000 trials take half a minute.
"""

import argparse

import numpy as np

from benchmarks.preference import markdown
from evaluation.classification import Floats
from evaluation.hierarchical import CrossedResamples

PROMPTS = 60
RESAMPLES = 400
TRAININGS = (2, 3, 5, 10)
SHARES = (0.0, 0.5, 0.9)  # of the figure's variance, due to trainings
DRAWN, STUDENT = "drawn", "Student's"


def drawn_weights(trainings: int, resamples: int, seed: int) -> Floats:
    """(resamples, trainings) weights of sum 1: n - 1 draws of n with replacement (Rao and Wu, JASA 1988)."""
    rng = np.random.default_rng([seed, 1])
    drawn = rng.multinomial(max(1, trainings - 1), np.full(trainings, 1 / trainings), size=resamples)
    return np.asarray(drawn / drawn.sum(axis=1, keepdims=True))


def figures(trainings: int, share: float, trial: int) -> Floats:
    """(trainings, PROMPTS) values of mean 0, whose mean has variance 1 apart from the noise of single pictures."""
    rng = np.random.default_rng(trial)
    of_training = np.sqrt(share * trainings) * rng.standard_normal((trainings, 1))
    of_prompt = np.sqrt((1 - share) * PROMPTS) * rng.standard_normal(PROMPTS)
    return np.asarray(of_training + of_prompt + rng.standard_normal((trainings, PROMPTS)))


def coverage(trainings: int, share: float, trials: int) -> dict[str, tuple[float, float]]:
    """Share of intervals that hold 0, and their median width, by how trainings are weighed."""
    names = [str(prompt) for prompt in range(PROMPTS)]
    held, widths = {DRAWN: 0, STUDENT: 0}, {DRAWN: list[float](), STUDENT: list[float]()}
    for trial in range(trials):
        values = figures(trainings, share, trial)
        draws = CrossedResamples(names, trainings, RESAMPLES, seed=trial)
        for weighing in (STUDENT, DRAWN):
            if weighing == DRAWN:
                draws.seed_weights = drawn_weights(trainings, RESAMPLES, trial)
            found = draws.ratio(values, np.ones_like(values), names).interval
            held[weighing] += found.low <= 0 <= found.high
            widths[weighing].append(found.high - found.low)
    return {name: (held[name] / trials, float(np.median(widths[name]))) for name in (DRAWN, STUDENT)}


def report(trials: int) -> str:
    rows = []
    for trainings in TRAININGS:
        for share in SHARES:
            found = coverage(trainings, share, trials)
            wider = found[STUDENT][1] / found[DRAWN][1]
            rows.append(
                [f"{trainings}", f"{share:.0%}", *(f"{found[name][0]:.1%}" for name in found), f"{wider:.2f} x"]
            )
    header = ["trainings", "their share of the variance", DRAWN, STUDENT, "wider"]
    return f"95 % intervals that hold the truth, {trials:,} trials a row\n\n" + markdown(header, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1_000)
    print(report(parser.parse_args().trials))


if __name__ == "__main__":
    main()
