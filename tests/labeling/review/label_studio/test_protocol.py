"""The real client and every stand-in for it have the methods of the protocol, with the same parameters and results."""

import inspect
from typing import get_type_hints

import pytest

from labeling.review.label_studio import LabelStudio
from labeling.review.label_studio.protocol import (
    AnnotatorAccounts,
    BallotSource,
    DrawingServer,
    ReviewServer,
    RoundServer,
)
from tests.labeling.handsoff.paper_easel import PaperEasel
from tests.labeling.review.rounds.paper_studio import PaperStudio
from tests.orchestration.cli.test_round_bad_input import Team
from tests.orchestration.paper_reviews import PaperReviews


@pytest.mark.parametrize(
    ("implementation", "protocol"),
    [
        (LabelStudio, ReviewServer),
        (LabelStudio, DrawingServer),
        (PaperEasel, DrawingServer),
        (PaperStudio, RoundServer),
        (PaperReviews, BallotSource),
        (Team, AnnotatorAccounts),
    ],
)
def test_a_stand_in_can_be_called_as_the_protocol_says(implementation, protocol):
    wanted = dict(inspect.getmembers(protocol, inspect.isfunction))
    wanted = {name: method for name, method in wanted.items() if not name.startswith("_")}
    assert wanted
    for name, method in wanted.items():
        offered = getattr(implementation, name)
        assert parameters(offered) == parameters(method), f"{implementation.__name__}.{name}"
        assert get_type_hints(offered) == get_type_hints(method), f"{implementation.__name__}.{name}"


def parameters(method) -> list[tuple[str, object, object]]:
    signature = inspect.signature(method)
    return [(parameter.name, parameter.kind, parameter.default) for parameter in signature.parameters.values()]
