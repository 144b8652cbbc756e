"""What the report shows, as plain data: the contract between gathering and rendering.

Belongs here: the typed contents of one report. Not here: reading tables (gather.py), HTML (render.py).
"""

from dataclasses import dataclass, field

import pandas as pd

from catalog.pages import Picture


@dataclass(frozen=True)
class Colour:
    """One colour name of the catalogue with how many products carry it and what it looks like."""

    name: str
    products: int
    rgb: str  # '#rrggbb', the median over the middle of those products' photographs


@dataclass(frozen=True)
class QuarantineSample:
    line: int
    reason: str
    raw: str
    detail: str


@dataclass(frozen=True)
class Answer:
    attribute: str
    value: str
    confidence: float
    abstained: bool
    catalogue_value: str | None  # what the catalogue itself says, where it says anything


@dataclass(frozen=True)
class ProductCard:
    product_id: int
    name: str
    split: str
    photo: Picture
    answers: list[Answer]
    description: str
    writer: str


@dataclass(frozen=True)
class LineageStep:
    """One asset on the way from the drop to the published text."""

    asset: str
    partition: str
    rows: int | None
    sha256: str
    written: str
    link: str  # a URL, or empty


@dataclass(frozen=True)
class Promotion:
    candidate: str
    version: str
    promoted: bool
    reasons: list[str]
    against: str  # the version the evidence was gathered against, or "the base"
    simulated: bool  # scripted annotators voted


@dataclass(frozen=True)
class Judged:
    """The blind round of the newest candidate, as far as it is."""

    round_id: str
    kind: str
    opponent: str
    pairs: int
    outcome: str  # a verdict's, or `open`
    reasons: list[str]
    counts: dict[str, int]  # choice → counted ballots
    share: float | None  # of decided ballots, the candidate's
    low: float
    high: float
    annotators: int
    excluded: dict[str, str]  # annotator → why
    simulated: bool
    plot: Picture | None
    page: str  # address of the round's own report, seen from this one; empty where there is none


@dataclass(frozen=True)
class Pictured:
    """What the newest candidate of restgan draws. rows: subject → figure → value; figures as in the table `scores`."""

    candidate: str
    bottoms: int
    words: Picture | None
    compared: Picture | None
    colours: Picture | None
    score_plot: Picture | None
    rows: dict[str, dict[str, float]]
    judged: Judged | None
    promotion: Promotion | None


@dataclass(frozen=True)
class ReportData:
    catalogue: str
    drop: str
    drawn: bool
    rows: int
    products: pd.DataFrame  # columns of the products contract
    strip: list[Picture]
    colours: list[Colour]
    quarantine: dict[str, int]  # reason → rows
    quarantine_samples: list[QuarantineSample]
    recovered: int
    missing: dict[str, int]  # column → products without a value
    splits: dict[str, int]
    groups: int
    largest_group: int
    groups_of_several: int
    shared_groups: int
    shared_images: int
    excluded: int
    qa_pairs: int
    unmapped: list[tuple[str, str, int]]  # attribute, value, rows
    scores: pd.DataFrame  # the scores contract
    curves: Picture | None
    score_plot: Picture | None
    risk_plot: Picture | None
    domain: list[str]
    judged: Judged | None
    promotion: Promotion | None
    pictured: Pictured | None
    cards: list[ProductCard]
    descriptions: int
    abstained: float  # share of answers below their threshold
    lineage: list[LineageStep]
    commands: list[tuple[str, str]]  # command, what it does
    seconds: dict[str, float] = field(default_factory=dict)  # stage → wall seconds
    peak_memory: float = 0.0  # GiB of the largest process
