"""Resources: the registry and the reviews, as an asset body is handed them.

Belongs here: opening them when they are first asked. Not here: published tables (published.py), what they do
(orchestration/registry/, labeling/review/rounds/): an asset body asks the registry or the ledger itself.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

import dagster as dg

from orchestration.runtime.settings import Settings

if TYPE_CHECKING:
    from labeling.review.label_studio import LabelStudio
    from labeling.review.label_studio.protocol import BallotSource
    from labeling.review.ledger.ledger import Ledger
    from labeling.review.pairs.kinds import PairKind
    from labeling.review.rounds.contest import Contest
    from labeling.review.rounds.opening import Opened
    from labeling.review.rounds.progress import Progress
    from orchestration.registry.interface import Run, VersionStore
    from orchestration.registry.registry import Registry
    from orchestration.registry.tracking import Lineage, TrackedRun


class ModelStore(Protocol):
    """What asset bodies ask of `Models`; a stand-in of the tests offers the same."""

    def registry(self) -> "VersionStore": ...
    def tracked(
        self, context: dg.AssetExecutionContext, family: str, dataset_sha256: str = ""
    ) -> "AbstractContextManager[Run]": ...
    def attempt(self, family: str, name: str, lineage: "Lineage") -> "AbstractContextManager[Run]": ...
    def run_page(self, run_id: str) -> str: ...


class ReviewDesk(Protocol):
    """What asset bodies and sensors ask of `Reviews`; a stand-in of the tests offers the same."""

    def ledger(self) -> "Ledger": ...
    def open(
        self,
        family: str,
        candidate: str,
        kind: "PairKind[Any]",
        seed: int,
        contest: "Callable[[Settings, str, str], Contest]",
        progress: "Progress",
    ) -> "Opened": ...
    def server(self, patience_seconds: float | None = None) -> "BallotSource": ...


class Models(dg.ConfigurableResource):
    """The model registry, opened when first asked: MLflow takes four seconds to import."""

    settings: dg.ResourceDependency[Settings]

    def registry(self) -> "Registry":
        """Raises: ServiceUnavailable: MLflow does not answer."""
        from orchestration.registry.registry import Registry

        return Registry(self.settings)

    def tracked(
        self, context: dg.AssetExecutionContext, family: str, dataset_sha256: str = ""
    ) -> "AbstractContextManager[TrackedRun]":
        """One MLflow run for this attempt at this asset partition, tagged with the way back to it."""
        from orchestration.registry.tracking import Lineage
        from orchestration.runtime.doors import let_in

        let_in(self.settings)
        partition = context.partition_key if context.has_partition_key else ""
        asset = "/".join(context.asset_key.path)
        lineage = Lineage(asset, partition, context.run.run_id, dataset_sha256)
        return self.attempt(family, partition or asset, lineage)

    def attempt(self, family: str, name: str, lineage: "Lineage") -> "AbstractContextManager[TrackedRun]":
        """One MLflow run of this name, tagged with where it comes from."""
        from orchestration.registry.tracking import tracked_run

        return tracked_run(self.settings.mlflow_uri, family, name, lineage)

    def run_page(self, run_id: str) -> str:
        """The page of a run in MLflow."""
        from orchestration.registry.tracking import run_address

        registry = self.registry()
        return run_address(registry.client, registry.uri, run_id)


class Reviews(dg.ConfigurableResource):
    """Blind rounds: the ledger, and the Label Studio that people vote in, connected to when it is needed."""

    settings: dg.ResourceDependency[Settings]

    def ledger(self) -> "Ledger":
        """Raises: ServiceUnavailable: its database does not answer."""
        from orchestration.registry.ledger import open_ledger

        return open_ledger(self.settings)

    def open(
        self,
        family: str,
        candidate: str,
        kind: "PairKind[Any]",
        seed: int,
        contest: "Callable[[Settings, str, str], Contest]",
        progress: "Progress",
    ) -> "Opened":
        """Open a candidate's round, or complete one whose opening was cut short; see labeling/review/rounds/opening.py.

        Args:
            kind: of pair. seed: of the draw of products. contest: the candidate beside whom it has to beat.
        """
        from evaluation.preference_plan import PreferencePlan
        from labeling.review.rounds.opening import RoundRequest, open_round
        from orchestration.runtime.label_studio import connect

        of = self.settings
        request = RoundRequest(family, candidate, kind, of.review_items, of.review_overlap, seed, PreferencePlan())
        server = connect(of)  # before minutes of work
        return open_round(of.rounds(), self.ledger(), server, request, lambda: contest(of, family, candidate), progress)

    def server(self, patience_seconds: float | None = None) -> "LabelStudio":
        """Label Studio, connected to; a sensor gives it little patience, so that a server that is away is noticed soon.

        Raises:
            SelvedgeError: it is off, or no token is stored.
            ServiceUnavailable: it does not answer.
        """
        from orchestration.runtime.label_studio import connect

        return connect(self.settings) if patience_seconds is None else connect(self.settings, patience_seconds)
