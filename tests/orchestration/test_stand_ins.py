"""Stand-ins of the tests offer what the real things offer: every method of a protocol, with the same parameters."""

import inspect
from typing import Any

import pytest

from orchestration.assets.resources import Models, ModelStore, ReviewDesk, Reviews
from orchestration.registry.interface import AliasClient, ClosingReporter, Run, VersionStore
from orchestration.registry.registry import Registry
from orchestration.registry.tracking import MlflowReporter, TrackedRun
from tests.orchestration.paper_models import PaperModels, PaperReporter, PaperRun
from tests.orchestration.paper_registry import PaperClient, PaperRegistry
from tests.orchestration.paper_reviews import PaperReviews

PAIRS = [
    (ModelStore, Models, PaperModels),
    (ReviewDesk, Reviews, PaperReviews),
    (VersionStore, Registry, PaperRegistry),
    (Run, TrackedRun, PaperRun),
    (ClosingReporter, MlflowReporter, PaperReporter),
]


def methods(kind: type[Any]) -> dict[str, Any]:
    return {name: value for name, value in vars(kind).items() if inspect.isfunction(value) and name[0] != "_"}


def parameters(function: Any) -> list[tuple[str, Any, Any]]:
    return [(one.name, one.kind, one.default) for one in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize(("protocol", "real", "paper"), PAIRS, ids=[paper.__name__ for _, _, paper in PAIRS])
def test_both_offer_the_protocol(protocol: type[Any], real: type[Any], paper: type[Any]) -> None:
    assert methods(protocol)
    for name, method in methods(protocol).items():
        for kind in (real, paper):
            assert parameters(getattr(kind, name)) == parameters(method), f"{kind.__name__}.{name}"


def test_both_clients_take_the_calls_that_move_aliases() -> None:
    """MLflow's methods take more, all of it optional."""
    from mlflow import MlflowClient

    for name, method in methods(AliasClient).items():
        asked = [parameter[0] for parameter in parameters(method)]
        assert [parameter[0] for parameter in parameters(getattr(PaperClient, name))] == asked
        offered = parameters(getattr(MlflowClient, name))
        assert [parameter[0] for parameter in offered][: len(asked)] == asked
        assert all(default is not inspect.Parameter.empty for _, _, default in offered[len(asked) :])
