"""A family is a declaration: everything that sets one family of models apart.

Belongs here: the declaration's types. Not here: what is built from a declaration (orchestration/graph/,
orchestration/cli/), any one family (the folders beside this file), which families there are (`FAMILIES`, __init__.py).

Graph and command line call the same functions of a family. They differ in where the data is: what a candidate was
opened with, or a catalogue directory that a person names.

Nothing heavy is imported here, Dagster included: the command line reads the declarations at every start.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from catalog.errors import SelvedgeError
from orchestration.families.section import Section, SectionSource

if TYPE_CHECKING:
    import dagster as dg
    import pandas as pd
    from upath import UPath

    from evaluation.drift import Delivery
    from evaluation.evidence import Evidence, GateRule
    from labeling.review.pairs.kinds import PairKind
    from labeling.review.rounds.contest import Contest
    from orchestration.assets.candidates import Opening
    from orchestration.assets.published import Tables
    from orchestration.registry.interface import Served
    from orchestration.runtime.settings import Settings
    from training.hand_run import HandRun
    from training.reporting import Reporter

CATALOGUE = ("catalog/products", "catalog/images", "catalog/splits", "catalog/qa_pairs")
SETTINGS_SUFFIX = "_settings"


@dataclass(frozen=True)
class TrainingRequest:
    """A candidate to be trained.

    Attributes:
        data: what it was opened with, or a catalogue directory.
        settings: as a person's file gives them, for a catalogue directory; None where the opening has them.
        folder: to train in; a killed training goes on there.
        workspace: a folder of this machine where what can be computed again is kept.
        threads: processor threads; None: as the settings say.
    """

    data: "Opening | Path"
    settings: Any
    folder: Path
    workspace: Path
    threads: int | None = None


@dataclass(frozen=True)
class TrainedCandidate:
    """What training gave.

    Attributes:
        artefact: folder that is registered. digest: of everything its answers depend on.
        keys: its result of `selvedge train`.
        parameters: as the tracking server shows them. history: points of the learning curves.
        result: everything that training says of itself. shown: further metadata of the asset, by title.
    """

    artefact: Path
    digest: str
    keys: Mapping[str, Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    history: Sequence[Mapping[str, Any]] = ()
    result: Mapping[str, Any] = field(default_factory=dict)
    shown: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Contenders:
    """A candidate, whom it has to beat, and the data that both are asked about.

    Attributes:
        candidate: its name. version: as the registry counts, or from the digest of a model given by hand.
        folder: the candidate's artefact. champion: version and folder; None where the base stands in.
        data, workspace: as for `TrainingRequest`.
    """

    family: str
    candidate: str
    version: str
    folder: Path
    champion: tuple[str, Path] | None
    data: "Opening | Path"
    workspace: Path


@dataclass(frozen=True)
class Adopted:
    """A run that was trained by hand, with its data set kept in this home.

    Attributes:
        run: its record. artefact: its model's folder. dataset: folder of the four tables; dataset_sha256, drops,
            question_set: of them.
    """

    run: "HandRun"
    artefact: Path
    dataset: str
    dataset_sha256: str
    drops: tuple[str, ...]
    question_set: str


class Evaluation(Protocol):
    """What scoring gives, whatever the family; `scores` is the table of that name."""

    @property
    def scores(self) -> "pd.DataFrame": ...
    @property
    def predictions(self) -> "Mapping[str, pd.DataFrame]": ...
    @property
    def evidence(self) -> "Evidence": ...
    def write(self, folder: Path) -> None: ...


@dataclass(frozen=True)
class ScoredCandidate:
    """An evaluation and what is shown of it.

    Attributes:
        files: plots and the like, kept beside the evidence.
        metrics: as the tracking server keeps them.
        tables, pictures: on the asset's page, by title: columns and rows; a PNG and what it shows.
        keys: the family's own keys of `selvedge evaluate`.
    """

    evaluation: Evaluation
    files: Mapping[str, bytes] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tables: Mapping[str, tuple[Sequence[str], Sequence[Sequence[Any]]]] = field(default_factory=dict)
    pictures: Mapping[str, tuple[bytes, str]] = field(default_factory=dict)
    keys: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Review:
    """What people are shown of a family.

    Attributes:
        kinds: of pair that the family can be compared in, the usual one first; see labeling/review/pairs/kinds.py.
            A function, because importing them costs pandas.
        contest: a candidate beside whom it has to beat; called when a round is opened.
        seed: of the draw of products.
    """

    kinds: "Callable[[], Sequence[PairKind[Any]]]"
    contest: "Callable[[Contenders], Contest]"
    seed: int = 7


@dataclass(frozen=True)
class ResultKeys:
    """A family's part of what a command prints. own: key to meaning. remarks: added to the meaning of a shared key."""

    own: Mapping[str, str] = field(default_factory=dict)
    remarks: Mapping[str, str] = field(default_factory=dict)


class Terminal(Protocol):
    """What a family's own command is handed: who asked, and where results go."""

    def settings(self) -> "Settings": ...
    def model(self, model: str) -> tuple[Path, str]:
        """Folder and address of a model: a folder's, or the champion's."""

    def reporting(self) -> "AbstractContextManager[Reporter]": ...
    def trace(self, product: int, drop: str) -> Mapping[str, Any]:
        """The chain behind a published product: product_id, drop, name, hops (hop, value, link, state, note)."""

    def say(self, line: str) -> None:
        """A line for a person, on stderr."""

    def emit(self, values: Mapping[str, Any]) -> None:
        """Print the result."""


@dataclass(frozen=True)
class Command:
    """A command of its own, `selvedge NAME`.

    Attributes:
        keys: of its result, with their meaning.
        run: takes a `Terminal`, and then what typer reads off its signature; its docstring is the help.
    """

    name: str
    keys: Mapping[str, str]
    run: Callable[..., None]


@dataclass(frozen=True)
class InferenceRequest:
    """`selvedge infer` on a catalogue directory. out: folder of the tables. model, uri: an artefact and its address."""

    catalog: Path
    out: Path
    model: Path
    uri: str


@dataclass(frozen=True)
class Inference:
    """What a champion of the family infers by hand, as `selvedge infer NAME`; `run` gives the result's keys."""

    name: str
    run: "Callable[[InferenceRequest, Reporter], Mapping[str, Any]]"


@dataclass(frozen=True)
class PublishedDrop:
    """A drop that a champion's work was published of, for comparing it with what the champion learnt from.

    Attributes:
        about: metadata of the publication. opening: of the candidate that is champion.
        scored: folder beside its scores. most: earlier drops that are worth reading, the newest ones.
    """

    instance: "dg.DagsterInstance"
    settings: "Settings"
    tables: "Tables"
    drop: str
    about: Mapping[str, Any]
    opening: "Opening"
    scored: "UPath"
    most: int


@dataclass(frozen=True)
class Watched:
    """A drop, and each drop of the champion's training snapshot."""

    new: "Delivery"
    earlier: "Sequence[Delivery]"


@dataclass(frozen=True)
class Family:
    """One family of models. Assets are named `stage/name`.

    Attributes:
        name: as in DESIGN's words, e.g. `garment-segmenter`.
        describes: one sentence for the page.
        assets: its own assets: preparation, and publication of its champion's work; a function, because it needs
            Dagster.
        prepared: unpartitioned assets to materialise before a candidate is opened; the last one opens it.
        trained_from: what a candidate depends on. scored_on: what its scores depend on besides the candidate.
        publishes: the asset in which the champion's work is published.
        settings: gives the dataclass of its training settings.
        open: what a candidate opened now would be trained from.
        train, score: a candidate, for the graph or by hand.
        adopt: what a run that was trained by hand would have been opened with here; None: it cannot be registered.
        digest: of an artefact's folder.
        rule: the gate's rule under these settings; a function, because importing it costs pandas.
        served: what a registered version is behind `mlflow models serve`.
        lacks: why this home cannot train this family, in one sentence, or "" where it can; None: any catalogue can.
        data_sha256: of the folder that a training by hand reads, where that is no catalogue directory.
        watch: a published drop beside those of the champion's training snapshot, as drift and quality are judged by;
            None: nothing of the family is watched.
        learns_from_drops: whether new products are news to it, so that it may be trained again because of them.
        review: the blind round that a candidate goes through; None where the rule asks for no verdict.
        section: its part of the report; may give None, as long as there is nothing to show. None: it has no part.
        results: keys that it adds to `train` and `evaluate`, by command.
        flags: switches of `selvedge evaluate` that are its own, with their help.
        inference: its part of `selvedge infer`. commands: its own commands.
        settings_name: the setting that names its YAML file of training settings; made from the name by default.
    """

    name: str
    describes: str
    assets: "Callable[[], Sequence[dg.AssetsDefinition]]"
    prepared: tuple[str, ...]
    trained_from: tuple[str, ...]
    scored_on: tuple[str, ...]
    publishes: str
    settings: Callable[[], type[Any]]
    open: "Callable[[dg.DagsterInstance, Settings, Tables], Opening]"
    train: "Callable[[TrainingRequest, Reporter], TrainedCandidate]"
    score: "Callable[[Contenders, Reporter, frozenset[str]], ScoredCandidate]"
    digest: Callable[[Path], str]
    rule: "Callable[[Settings], GateRule]"
    served: "Callable[[], Served]"
    lacks: "Callable[[dg.DagsterInstance, Settings, Tables], str] | None" = None
    data_sha256: Callable[[Path], str] | None = None
    adopt: "Callable[[Adopted, Settings], Opening] | None" = None
    watch: "Callable[[PublishedDrop], Watched] | None" = None
    learns_from_drops: bool = True
    review: Review | None = None
    section: Callable[[SectionSource], Section | None] | None = None
    results: Mapping[str, ResultKeys] = field(default_factory=dict)
    flags: Mapping[str, str] = field(default_factory=dict)
    inference: Inference | None = None
    commands: tuple[Command, ...] = ()
    settings_name: str = ""
    owners: tuple[str, ...] = ("team:models",)
    kinds: frozenset[str] = field(default_factory=lambda: frozenset({"pytorch", "mlflow"}))
    code_version: str = "1"

    @property
    def slug(self) -> str:
        """The name inside an asset key."""
        return self.name.replace("-", "_")

    @property
    def settings_field(self) -> str:
        """The setting, without prefix, that names the file of its training settings."""
        return self.settings_name or f"{self.slug}{SETTINGS_SUFFIX}"

    @property
    def prepared_by(self) -> "tuple[dg.AssetKey, ...]":
        return tuple(asset_key(name) for name in self.prepared)

    @property
    def candidate(self) -> "dg.AssetKey":
        return asset_key(f"training/{self.slug}_candidate")

    @property
    def scores(self) -> "dg.AssetKey":
        return asset_key(f"evaluation/{self.slug}_scores")

    @property
    def round(self) -> "dg.AssetKey":
        return asset_key(f"review/{self.slug}_round")

    @property
    def verdict(self) -> "dg.AssetKey":
        return asset_key(f"review/{self.slug}_verdict")

    @property
    def promotion(self) -> "dg.AssetKey":
        return asset_key(f"registry/{self.slug}_promotion")

    @property
    def champion(self) -> "dg.AssetKey":
        return champion_key(self.name)

    @property
    def training_job(self) -> str:
        return f"train_{self.slug}"


def asset_key(name: str) -> "dg.AssetKey":
    """The key of the asset `stage/name`."""
    import dagster as dg

    return dg.AssetKey(name.split("/"))


def champion_key(family: str) -> "dg.AssetKey":
    """The asset that stands for a family's champion."""
    return asset_key(f"registry/{family.replace('-', '_')}_champion")


def families_of_assets(families: Sequence[Family]) -> dict[str, str]:
    """Whose an asset is: the family's name by `stage/name`, for all that is built for a family alone."""
    whose: dict[str, str] = {}
    for family in families:
        own = [spec.key for definition in family.assets() for spec in definition.specs]
        road = (family.candidate, family.scores, family.round, family.verdict, family.promotion, family.champion)
        whose |= dict.fromkeys(("/".join(key.path) for key in (*own, *road)), family.name)
        whose.setdefault(family.publishes, family.name)
    return whose


def families_by_name(families: Sequence[Family]) -> dict[str, Family]:
    """Families by their name.

    Raises:
        SelvedgeError: two carry one name; their candidates would share a partition set.
    """
    named = {family.name: family for family in families}
    if len(named) != len(families):
        raise SelvedgeError(f"two families carry one name among {[family.name for family in families]}; rename one.")
    return named
