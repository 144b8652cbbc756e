"""The verdict in simulation: how often it errs under peeking and clustering, and what it costs in ballots.

Belongs here: rounds simulated by the thousand with the arithmetic of `evaluation.simulated_rounds`, looking after every
ballot. Not here: exclusions and ties, which take ballots away and change no rate.

Clusters are beta-binomial: a rater (or item) of intraclass correlation r has a win probability of its own, drawn from a
Beta with mean p and variance r p (1 - p). Raters take turns at random, equally often. Ballots on one item follow one
another, which is the worst order for a test that looks after every ballot.

Rules, each with the ones before it where it says +:
  z-test      |z| > 1.96 at any look from the 10th ballot
  e-value     reaches 20, no other rule
  caps        + the plan's caps by rater and item
  without one + still 20 without any one rater (on all ballots, and with caps)
  verdict     as `judge_round` decides: caps, quorum, design effect, without one rater, no_difference

Run: `python -m benchmarks.preference [--rounds N] [--json]`; the tables are Markdown. 20,000 rounds take minutes.
"""

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from evaluation.preference_plan import PreferencePlan
from evaluation.simulated_rounds import NO_END, Ballots, first_look, log_evidence, running, verdict_ends

PLAN = PreferencePlan()
RULES = ("z-test", "e-value", "e-value, caps", "without one", "without one, caps", "verdict")
CHUNK = 250  # rounds simulated at once: larger arrays fall out of the processor's cache


@dataclass(frozen=True)
class Scenario:
    """Rounds of one kind. share: true, for the candidate. ballots: decided, cast. per_item: ballots on one item."""

    name: str
    table: str
    share: float
    ballots: int
    raters: int
    rater_icc: float = 0.0
    item_icc: float = 0.0
    per_item: int = 1


SCENARIOS = (
    Scenario("independent", "items", 0.5, 1000, 20),
    Scenario("3 ballots an item, item ICC 0.1", "items", 0.5, 999, 20, 0, 0.1, 3),
    Scenario("3 ballots an item, item ICC 0.3", "items", 0.5, 999, 20, 0, 0.3, 3),
    Scenario("3 ballots an item, item ICC 0.5", "items", 0.5, 999, 20, 0, 0.5, 3),
    Scenario("10 ballots an item, item ICC 0.3", "items", 0.5, 1000, 20, 0, 0.3, 10),
    Scenario("5 raters, ICC 0.05", "raters", 0.5, 1000, 5, 0.05),
    Scenario("5 raters, ICC 0.2", "raters", 0.5, 1000, 5, 0.2),
    Scenario("20 raters, ICC 0.05", "raters", 0.5, 1000, 20, 0.05),
    Scenario("20 raters, ICC 0.2", "raters", 0.5, 1000, 20, 0.2),
    Scenario("3 raters, ICC 0.2", "raters", 0.5, 1000, 3, 0.2),
    Scenario("5 raters, independent", "70/30", 0.7, 500, 5),
    Scenario("20 raters, independent", "70/30", 0.7, 500, 20),
    Scenario("5 raters, ICC 0.05", "70/30", 0.7, 500, 5, 0.05),
    Scenario("20 raters, ICC 0.05", "70/30", 0.7, 500, 20, 0.05),
    Scenario("25 raters, independent", "50/50", 0.5, PLAN.ballots_cap, 25),
)


def simulate(scenario: Scenario, rounds: int, seed: np.random.SeedSequence) -> tuple[np.ndarray, ...]:
    """won, rater, item of `rounds` rounds: (rounds, ballots) each."""
    rng = np.random.default_rng(seed)
    shape = (rounds, scenario.ballots)
    rater = rng.integers(scenario.raters, size=shape, dtype=np.int16)
    item = np.broadcast_to(np.arange(scenario.ballots, dtype=np.int16) // scenario.per_item, shape)
    share: np.ndarray = np.full(shape, scenario.share)
    for icc, clusters, count in (
        (scenario.rater_icc, rater, scenario.raters),
        (scenario.item_icc, item, scenario.ballots // scenario.per_item + 1),
    ):
        if icc:
            spread = 1 / icc - 1
            own = rng.beta(spread * scenario.share, spread * (1 - scenario.share), size=(rounds, count))
            share = np.take_along_axis(own, clusters.astype(np.int64), 1)
    return rng.random(shape) < share, rater, np.ascontiguousarray(item)


def play(job: tuple[Scenario, int, np.random.SeedSequence]) -> dict[str, np.ndarray]:
    """Ends of simulated rounds: rule -> (rounds, 2) int, ballots counted at the end and 1, -1, 0 (band) or 9 (none)."""
    scenario, rounds, seed = job
    won, rater, item = simulate(scenario, rounds, seed)
    everything = Ballots(won, rater, item, scenario.raters, np.ones_like(won))
    counted = running(item, won)[0] <= PLAN.item_cap
    # The plan counts greedily; rater and item caps never bind in one scenario, so two masks are the same.
    counted &= running(rater, won)[0] <= PLAN.rater_cap
    capped = Ballots(won, rater, item, scenario.raters, counted)
    evidence = log_evidence(everything, PLAN)
    ends = {}

    def end(rule: str, ballots: Ballots, stops: np.ndarray) -> None:
        look = first_look(stops & ballots.valid)
        rows = np.arange(len(look))
        direction = np.sign(2 * ballots.s[rows, look] - ballots.n[rows, look])
        last = np.where(look < 0, ballots.length, look + 1)
        ends[rule] = np.stack([last, np.where(look < 0, NO_END, direction)], axis=1)

    z = np.abs(2 * everything.s - everything.n) > norm.ppf(0.975) * np.sqrt(everything.n)
    end("z-test", everything, z & (everything.n >= 10))
    for ballots, suffix in ((everything, ""), (capped, ", caps")):
        clear = evidence(ballots.n, ballots.s) >= -math.log(PLAN.alpha)
        end("e-value" + suffix, ballots, clear)
        row, ballot = np.nonzero(clear & ballots.valid)
        stands, _ = ballots.without_one(row, ballot, evidence, PLAN)
        kept = np.zeros_like(clear)
        kept[row, ballot] = stands
        end("without one" + suffix, ballots, kept)
    ends["verdict"] = verdict_ends(capped, PLAN)
    ends["SPRT"] = sprt(everything)
    return ends


def sprt(ballots: Ballots, to: float = 0.6, beta: float = 0.1) -> np.ndarray:
    """Two one-sided sequential probability ratio tests of 0.5 against `to` and 1 - `to`, alpha / 2 each (Wald 1945)."""
    lost = ballots.n - ballots.s
    accept, refuse = math.log((1 - beta) / (PLAN.alpha / 2)), math.log(beta / (1 - PLAN.alpha / 2))
    looks = []
    for s, f in ((ballots.s, lost), (lost, ballots.s)):
        ratio = s * math.log(to / 0.5) + f * math.log((1 - to) / 0.5)
        yes, no = first_look(ratio >= accept), first_look(ratio <= refuse)
        looks.append((np.where((no >= 0) & (no < yes), -1, yes), np.where((yes >= 0) & (yes < no), -1, no)))
    (up, not_up), (down, not_down) = looks
    last = np.where(up >= 0, up, np.where(down >= 0, down, np.maximum(not_up, not_down)))
    both = (not_up >= 0) & (not_down >= 0)
    end = np.where(up >= 0, 1, np.where(down >= 0, -1, np.where(both, 0, NO_END)))
    return np.stack([np.where(end == NO_END, ballots.length, last + 1), end], axis=1)


def jobs(rounds: int) -> Iterator[tuple[Scenario, int, np.random.SeedSequence]]:
    for number, scenario in enumerate(SCENARIOS):
        for chunk, start in enumerate(range(0, rounds, CHUNK)):
            yield scenario, min(CHUNK, rounds - start), np.random.SeedSequence([number, chunk])


def summary(ends: np.ndarray) -> dict[str, float]:
    """Shares of ends, and ballots of all rounds, a round without an end at its last ballot."""
    ballots, end = ends.T
    low, median, high = np.percentile(ballots, [10, 50, 90])
    shares = {"preferred": 1, "not_preferred": -1, "no_difference": 0, "none": NO_END}
    return {name: float((end == code).mean()) for name, code in shares.items()} | {
        "mean": float(ballots.mean()), "p10": float(low), "median": float(median), "p90": float(high),
    }  # fmt: skip


def fixed_ballots(share: float, power: float = 0.9, alpha: float = 0.05) -> int:
    """Ballots of a test that looks once (normal approximation of the binomial)."""
    spread = norm.ppf(1 - alpha / 2) / 2 + norm.ppf(power) * math.sqrt(share * (1 - share))
    return math.ceil((spread / (share - 0.5)) ** 2)


def markdown(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def report(found: dict[tuple[str, str], dict[str, dict[str, float]]], rounds: int) -> str:
    def wrong(rule: dict[str, float]) -> float:
        return rule["preferred"] + rule["not_preferred"]

    text = []
    header = ["a true 50/50, 1,000 ballots", *RULES, "of these `preferred`"]
    for table, title in (("items", "clustered by item"), ("raters", "clustered by rater")):
        rows = [
            [name, *(f"{wrong(rules[rule]):.1%}" for rule in RULES), f"{rules['verdict']['preferred']:.1%}"]
            for (of, name), rules in found.items()
            if of == table
        ]
        text.append(f"False preferences, either way, looking after every ballot, {title}, {rounds:,} rounds\n")
        text.append(markdown(header, rows))
    rows = []
    for (of, name), rules in found.items():
        if of == "70/30":
            for rule in ("e-value", "without one", "verdict", "SPRT"):
                r = rules[rule]
                figures = [f"{r[key]:.0f}" for key in ("median", "mean", "p90")]
                rows.append([name, rule, *figures, f"{r['preferred']:.1%}", f"{r['not_preferred']:.2%}"])
    rows.append(["independent", "one look, 90 % power", *[str(fixed_ballots(0.7))] * 3, "90.0%", ""])
    text.append(f"Ballots to decide at a true 70/30 (at most 500), {rounds:,} rounds\n")
    text.append(markdown(["raters", "rule", "median", "mean", "p90", "preferred", "not preferred"], rows))
    rows = []
    for (of, name), rules in found.items():
        if of == "50/50":
            r = rules["verdict"]
            shares = [f"{r[key]:.1%}" for key in ("no_difference", "none", "preferred", "not_preferred")]
            rows.append([name, *shares, *(f"{r[key]:.0f}" for key in ("p10", "median", "p90"))])
    text.append(f"How a true 50/50 ends, at most {PLAN.ballots_cap:,} ballots, {rounds:,} rounds\n")
    ends = ["raters", "no_difference", "inconclusive at the cap", "preferred", "not preferred"]
    text.append(markdown([*ends, "p10 ballots", "median", "p90"], rows))
    return "\n".join(text)


def measure(rounds: int) -> dict[tuple[str, str], dict[str, dict[str, float]]]:
    work = list(jobs(rounds))
    parts: dict[tuple[str, str], list[dict[str, np.ndarray]]] = {}
    started = time.monotonic()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for done, (job, ends) in enumerate(zip(work, pool.map(play, work, chunksize=4), strict=True), start=1):
            parts.setdefault((job[0].table, job[0].name), []).append(ends)
            if done % 20 == 0 or done == len(work):
                print(f"\r{done}/{len(work)} {time.monotonic() - started:.0f} s", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return {
        key: {rule: summary(np.concatenate([part[rule] for part in found])) for rule in found[0]}
        for key, found in parts.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = measure(arguments.rounds)
    if arguments.json:
        rows: list[dict[str, Any]] = [
            {"table": table, "scenario": name, "rule": rule, **figures}
            for (table, name), rules in found.items()
            for rule, figures in rules.items()
        ]
        print(json.dumps({"rounds": arguments.rounds, "fixed_ballots_70": fixed_ballots(0.7), "rows": rows}))
    else:
        print(report(found, arguments.rounds))


if __name__ == "__main__":
    main()
