"""Tables of ballots for the tests of evaluation/: from a list of answers, or drawn with a known preference."""

from collections.abc import Iterable

import numpy as np
import pandas as pd


def table(rows: Iterable[dict]) -> pd.DataFrame:
    """One row a ballot; what a row does not say is a plain, unhurried ballot with the candidate on the left."""
    filled = [
        {"rater": "ann", "item": f"i{number}", "kind": "plain", "side": "left", "left": "candidate", "correct": None}
        | {"seconds": 8.0, **row}
        for number, row in enumerate(rows)
    ]
    columns = ["rater", "item", "kind", "side", "left", "correct", "seconds"]
    frame = pd.DataFrame(filled, columns=columns)
    return frame.assign(at=pd.date_range("2026-05-03", periods=len(frame), freq="min", tz="UTC"))


def answered(choices: Iterable[str], raters: int = 5, per_item: int = 1, seed: int = 0) -> pd.DataFrame:
    """Plain ballots with the given choices, raters in turn, sides drawn."""
    rng = np.random.default_rng(seed)
    rows = []
    for number, choice in enumerate(choices):
        left = str(rng.choice(["candidate", "champion"]))
        side = choice if choice in ("tie", "both_bad") else ("left" if choice == left else "right")
        rows.append({"rater": f"r{number % raters}", "item": f"i{number // per_item}", "side": side, "left": left})
    return table(rows)


def drawn(ballots: int, share: float, raters: int = 5, ties: float = 0.0, seed: int = 0) -> pd.DataFrame:
    """Plain ballots whose candidate wins `share` of those that are no tie."""
    rng = np.random.default_rng(seed)
    wins = np.where(rng.random(ballots) < share, "candidate", "champion")
    return answered(np.where(rng.random(ballots) < ties, "tie", wins), raters, seed=seed)


def exchanged(ballots: pd.DataFrame) -> pd.DataFrame:
    """The same answers with candidate and champion exchanged."""
    return ballots.assign(left=ballots["left"].map({"candidate": "champion", "champion": "candidate"}))
