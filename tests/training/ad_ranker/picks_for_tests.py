"""Picks of a known taste: measurements drawn by seed, chosen by contrast."""

import numpy as np
import pandas as pd

from training.ad_ranker.features import FEATURES
from training.ad_ranker.picks import AD_PICKS, AD_SHOWN, write_picks

AT = pd.Timestamp("2026-05-04T12:00:00Z")


def picked(requests=160, taste=2.0, simulated=False, seed=0, none_of=10):
    """Tables `ad_picks` and `ad_shown`: three pictures a request, chosen by `taste` for contrast and chance."""
    rng = np.random.default_rng(seed)
    answers, shown = [], []
    for number in range(requests):
        rows = rng.normal(0, 1, (3, len(FEATURES)))
        score = taste * rows[:, FEATURES.index("contrast")] + rng.gumbel(0, 1, 3)
        names = [f"{number:04d}-{position}" for position in range(3)]
        picked_sha256 = None if none_of and number % none_of == 0 else names[int(score.argmax())]
        product = None if number % 7 == 0 else number // 2
        answers.append((f"r{number}", product, picked_sha256, "", "ann@shop.example", simulated, 4.0, AT, AT))
        for rank, (name, row) in enumerate(zip(names, rows, strict=True), start=1):
            shown.append((f"r{number}", name, rank, *row))
    table = pd.DataFrame(answers, columns=AD_PICKS.names)
    table["product_id"] = table["product_id"].astype("Int64")
    return table, pd.DataFrame(shown, columns=AD_SHOWN.names)


def picks_folder(folder, **changes):
    folder.mkdir(parents=True, exist_ok=True)
    write_picks(*picked(**changes), folder)
    return folder
