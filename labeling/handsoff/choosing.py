"""Choosing: which few pictures of many people should label.

Belongs here: the rule and the features that it looks at. Not here: where pictures come from
(training/handsoff/pictures.py), asking for labels (asking.py).

A labeller knows what it was shown, so the few pictures should lie close to all others. Each next one is that which
lessens most the sum of the distances from every picture to the nearest chosen one, by the Euclidean distance of the
frozen attribute classifier's features: greedy facility location, at least 1 - 1/e of what the best choice reaches
(Nemhauser, Wolsey and Fisher, Mathematical Programming 14, 1978). Taking the farthest (k-centre) would begin with the
oddest pictures. Of a larger number the first are the same.
"""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
from scipy.spatial.distance import cdist

from catalog.errors import SelvedgeError
from catalog.quarantine import Rejection
from training.handsoff.pictures import Progress, Read, square

MOST_CANDIDATES = 5000  # looked at; reading and squaring them takes a minute
Describe = Callable[[np.ndarray], np.ndarray]
"""(n, s, s, 3) uint8 pictures → (n, d) float32 features."""


def choose_pictures(
    sources: Sequence[tuple[str, Read]], number: int, describe: Describe, side: int, progress: Progress
) -> tuple[list[tuple[str, Read]], int]:
    """The most informative ones, the best first, and how many differ among those that were looked at.

    Of more than MOST_CANDIDATES, as many at equal distances in their order are looked at. Of those that look the same
    one counts.

    Args:
        number: how many; all where there are fewer. describe: on squares of `side` pixels.

    Raises:
        SelvedgeError: a picture cannot be read or does not decode.
    """
    rows = np.linspace(0, len(sources) - 1, min(len(sources), MOST_CANDIDATES)).round().astype(int)
    squares: dict[str, tuple[tuple[str, Read], np.ndarray]] = {}
    for done, row in enumerate(rows, 1):
        picture = _square(sources[row][0], read_picture(*sources[row]), side)
        squares.setdefault(hashlib.sha256(picture.tobytes()).hexdigest(), (sources[row], picture))
        progress(done, len(rows), "looking at pictures")
    candidates = list(squares.values())
    features = describe(np.stack([picture for _, picture in candidates]))
    return [candidates[row][0] for row in covering(features, number)], len(candidates)


def covering(features: np.ndarray, number: int) -> list[int]:
    """Rows of (n, d) features that lie closest to all, min(number, n) of them; n x n distances are held."""
    distances = cdist(features, features).astype(np.float32)
    rows = [int(distances.sum(axis=1).argmin())]
    nearest = distances[rows[0]]
    while len(rows) < min(number, len(features)):
        gains = np.maximum(nearest - distances, 0).sum(axis=1)
        gains[rows] = -1  # of pictures with equal features, none is taken twice
        rows.append(int(gains.argmax()))
        nearest = np.minimum(nearest, distances[rows[-1]])
    return rows


def shipped_features() -> tuple[Describe, int]:
    """Features of the attribute classifier that ships, and the side that it is made for.

    Raises:
        SelvedgeError: its file is missing or damaged.
    """
    from training.attribute_judge import load_judge
    from training.folders import models_folder
    from training.handsoff.perception import LAYERS_FILE

    judge = load_judge(models_folder() / LAYERS_FILE)
    return judge.features, judge.network.size


def read_picture(name: str, read: Read) -> bytes:
    """A picture's file.

    Raises:
        SelvedgeError: it cannot be read.
    """
    try:
        return read()
    except OSError as error:
        raise SelvedgeError(f"picture {name} cannot be read ({error}); take it out or bring it back.") from error


def _square(name: str, content: bytes, side: int) -> np.ndarray:
    try:
        return square(content, side)
    except (Rejection, ValueError) as error:
        raise SelvedgeError(f"picture {name} does not decode ({error}); take it out or replace it.") from error
