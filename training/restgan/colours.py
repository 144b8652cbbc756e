"""Colours: the table in which colour words that look alike share one feature.

Belongs here: clustering the words of a catalogue by the colour of their garments, looking a word up, saying a colour
name (spelling, two colours, "multi"). Not here: which pixels are garment (garments.py), the other words (words.py), the
picture of the table (colour_picture.py).

The post on ReStGAN (WACV 2020) says: colours clustered in LAB, a lookup table that gives visually similar colours the
same text feature, so that a shade does not become another colour and there are fewer colours to learn. How it
clusters is not published; what follows is ours. A word's centroid is the median of its products, distances are
CIEDE2000, linkage is complete: no two words of a cluster are farther apart than the threshold, while single linkage
would chain navy through charcoal to black.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from catalog.errors import SelvedgeError
from catalog.files import json_sha256
from catalog.lab import difference

FORMAT = 1
THRESHOLD = 8.0  # CIEDE2000; at 12 the navy and brown pants of real photographs, all dark, became one colour
MINIMUM_PRODUCTS = 5  # a median of fewer garments is one photograph's light
NO_CLUSTER = -1
NEUTRALS: Mapping[str, str] = {
    "black": "black", "white": "white", "off white": "white", "cream": "white", "ivory": "white", "grey": "grey",
    "grey melange": "grey", "charcoal": "grey", "silver": "grey", "steel": "grey",
}  # fmt: skip
"""Colour names without a hue -> family. Words of two families never share a cluster, nor a neutral with a hue.

However near they are: on photographs a white pair in shade is grey, navy in shade is 6 from black, and the greens of a
catalogue, taken together, have a grey median. A shopper who asks for one of them does not mean the other.
"""

SEVERAL = ("multi", "assorted", "rainbow")
"""Say that there are several colours and not which: colour words without a cluster."""

SPELLINGS: Mapping[str, str] = {
    "gray": "grey", "multicolour": "multi", "multicolor": "multi", "multicoloured": "multi", "multicolored": "multi",
    "offwhite": "off white", "skyblue": "sky blue", "navyblue": "navy blue", "golden": "gold", "greymelange":
    "grey melange", "gray melange": "grey melange", "dark navy": "navy blue", "navy": "navy blue",
    "turquoise": "turquoise blue", "coffee": "coffee brown", "mushroom": "mushroom brown",
}  # fmt: skip
"""Another way to write a colour name; holds where the name it leads to is known and the spelling itself is not."""


@dataclass(frozen=True)
class ColourTable:
    """Colour word -> cluster -> feature.

    Attributes:
        words: colour name (lower case, one or two words) -> cluster, 0..K-1.
        names: K strings; the name of a cluster is its word with most products.
        centres: (K, 3) float32 CIELAB (D65), median over the products of the cluster's words.
        word_centres: (len(words), 3) float32 CIELAB, in the order of `words`.
        products: products behind every word, in the order of `words`.
        figures: CIEDE2000 within and between clusters; see `spread`.
        threshold: CIEDE2000 up to which two words may share a cluster.
    """

    words: Mapping[str, int]
    names: tuple[str, ...]
    centres: np.ndarray
    word_centres: np.ndarray
    products: tuple[int, ...]
    figures: Mapping[str, float]
    threshold: float = THRESHOLD

    def __len__(self) -> int:
        """K, the number of clusters."""
        return len(self.names)

    def cluster(self, word: str) -> int:
        """The cluster of a colour name; -1 for "multi", for a name the table does not hold and for any other word.

        An unknown colour word is never guessed from its spelling: "wine" is nearer to "white" than to "maroon".
        """
        return self.words.get(self.canonical(word), NO_CLUSTER)

    def canonical(self, word: str) -> str:
        """The spelling under which the table knows a name; the word itself where it knows none."""
        return canonical(word, self.words)

    def features(self) -> np.ndarray:
        """(K, 3) float32: every cluster's feature."""
        scaled = (self.centres - np.array([50, 0, 0])) / np.array([50, 100, 100])
        return np.asarray(scaled, np.float32)

    def to_json(self) -> dict[str, Any]:
        """All of the table as JSON values, with `sha256` over the rest."""
        body: dict[str, Any] = {
            "format": FORMAT,
            "threshold": self.threshold,
            "words": dict(self.words),
            "names": list(self.names),
            "centres": [[float(value) for value in row] for row in self.centres],
            "word_centres": [[float(value) for value in row] for row in self.word_centres],
            "products": list(self.products),
            "figures": dict(self.figures),
        }
        return {**body, "sha256": _sha256(body)}

    @property
    def digest(self) -> str:
        """The hash a model is stamped with: another table is another meaning of its colour words."""
        return str(self.to_json()["sha256"])

    @staticmethod
    def from_json(saved: Mapping[str, Any]) -> "ColourTable":
        """The table that `to_json` gave.

        Raises:
            SelvedgeError: another format, a missing field, or a hash that does not match.
        """
        body = {name: value for name, value in saved.items() if name != "sha256"}
        if body.get("format") != FORMAT or saved.get("sha256") != _sha256(body):
            raise SelvedgeError(
                f"the colour table is not one this version wrote (format {body.get('format')!r}, hash "
                f"{str(saved.get('sha256'))[:12]}); build the data set again."
            )
        return ColourTable(
            {str(word): int(cluster) for word, cluster in body["words"].items()},
            tuple(body["names"]),
            np.array(body["centres"], np.float32).reshape(-1, 3),
            np.array(body["word_centres"], np.float32).reshape(-1, 3),
            tuple(body["products"]),
            dict(body["figures"]),
            float(body["threshold"]),
        )


def canonical(word: str, colours: Iterable[str]) -> str:
    """A colour name as `known` spells it: itself where known, else by `SPELLINGS`, else itself."""
    names = colours if isinstance(colours, (Mapping, set, frozenset)) else set(colours)
    other = SPELLINGS.get(word)
    return word if word in names or other is None or (other not in names and other not in SEVERAL) else other


def build_colour_table(
    names: Sequence[str],
    colours: np.ndarray,
    threshold: float = THRESHOLD,
    minimum_products: int = MINIMUM_PRODUCTS,
) -> ColourTable:
    """Cluster the colour names of a catalogue by how their garments look.

    Args:
        names: n colour names (lower case); "multi" and "" take no part.
        colours: (n, 3) float CIELAB, the garment's median colour; rows with NaN take no part.
        threshold: CIEDE2000; two words farther apart never share a cluster.
        minimum_products: a name with fewer garments is left out: an unknown word.

    Raises:
        SelvedgeError: fewer than two clusters come out: colour cannot be learnt from one.
    """
    colours = np.asarray(colours, np.float64)
    by_name: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        if name and name not in SEVERAL and np.isfinite(colours[row]).all():
            by_name.setdefault(name, []).append(row)
    words = sorted(name for name, rows in by_name.items() if len(rows) >= minimum_products)
    centroids = np.array([np.median(colours[by_name[word]], axis=0) for word in words]).reshape(-1, 3)
    cluster_of = _clusters(words, centroids, threshold)
    order = _by_products(words, cluster_of, by_name)
    clusters = {word: order[cluster_of[index]] for index, word in enumerate(words)}
    if len(set(clusters.values())) < 2:
        said = f"one colour only ('{words[0]}')" if words else "no colour"
        raise SelvedgeError(
            f"the bottoms of this catalogue show {said}, and a colour needs {minimum_products} products of its name; "
            "read a catalogue with at least two colours."
        )
    members = [[w for w in words if clusters[w] == k] for k in range(len(order))]
    rows_of = [[row for word in group for row in by_name[word]] for group in members]
    centres = np.array([np.median(colours[rows], axis=0) for rows in rows_of])
    return ColourTable(
        words=clusters,
        names=tuple(max(group, key=lambda word: (len(by_name[word]), word)) for group in members),
        centres=centres.astype(np.float32),
        word_centres=centroids.astype(np.float32),
        products=tuple(len(by_name[word]) for word in words),
        figures=spread(centres, [colours[rows] for rows in rows_of]),
        threshold=float(threshold),
    )


def spread(centres: np.ndarray, colours: Sequence[np.ndarray]) -> dict[str, float]:
    """How tight and how far apart the clusters are, in CIEDE2000.

    Args:
        centres: (K, 3) CIELAB. colours: K arrays (n_k, 3), the garments of each cluster.

    Returns:
        within/median and within/p90 of a garment to its own centre; between/median and between/least of two centres;
        nearest: share of garments that lie nearest to their own centre.
    """
    own = np.concatenate([difference(rows, centre) for rows, centre in zip(colours, centres, strict=True)])
    between = pairwise(centres)[np.triu_indices(len(centres), 1)]
    truth = np.repeat(np.arange(len(centres)), [len(rows) for rows in colours])
    nearest = difference(np.concatenate(colours)[:, None], centres[None]).argmin(axis=1)
    return {
        "within/median": float(np.median(own)),
        "within/p90": float(np.quantile(own, 0.9)),
        "between/median": float(np.median(between)),
        "between/least": float(between.min()),
        "nearest": float((nearest == truth).mean()),
    }


def pairwise(colours: np.ndarray) -> np.ndarray:
    """(n, n) float64 CIEDE2000 between the rows of (n, 3) CIELAB, exactly symmetric with a zero diagonal."""
    distance = difference(colours[:, None], colours[None])
    distance = (distance + distance.T) / 2
    np.fill_diagonal(distance, 0)
    return distance


def nearest_clusters(mine: ColourTable, theirs: ColourTable) -> np.ndarray:
    """(K,) int64: for every cluster of one table the cluster of another whose centre is nearest by CIEDE2000."""
    return difference(mine.centres[:, None], theirs.centres[None]).argmin(axis=1).astype(np.int64)


def _clusters(words: Sequence[str], centroids: np.ndarray, threshold: float) -> list[int]:
    if len(words) < 2:
        return [1] * len(words)
    distance = pairwise(centroids)
    family = np.array([NEUTRALS.get(word, "") for word in words])
    distance[family[:, None] != family[None]] = 1000.0  # complete linkage then never joins them
    tree = linkage(squareform(distance), method="complete")
    return [int(value) for value in fcluster(tree, threshold, criterion="distance")]


def _by_products(words: Sequence[str], cluster_of: Sequence[int], by_name: Mapping[str, list[int]]) -> dict[int, int]:
    """scipy's cluster numbers -> 0..K-1, the cluster with most products first."""
    weight: dict[int, tuple[int, str]] = {}
    for word, cluster in zip(words, cluster_of, strict=True):
        count, first = weight.get(cluster, (0, word))
        weight[cluster] = (count + len(by_name[word]), min(first, word))
    ranked = sorted(weight, key=lambda cluster: (-weight[cluster][0], weight[cluster][1]))
    return {cluster: rank for rank, cluster in enumerate(ranked)}


def _sha256(body: Mapping[str, Any]) -> str:
    return json_sha256(body, separators=(",", ":"))
