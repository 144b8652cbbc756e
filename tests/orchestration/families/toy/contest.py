"""The toy's contest: both versions' results are drawn."""

from dataclasses import dataclass
from pathlib import Path

from labeling.review.rounds.compared import Compared
from labeling.review.rounds.contest import Contest, Progress
from orchestration.families.contract import Contenders
from tests.orchestration.review.drawn_round import compared


@dataclass(frozen=True)
class ToyContest(Contest):
    kinds = ("attribute-cards",)

    folder: Path

    def compare(self, kind: str, progress: Progress | None = None) -> Compared:
        return compared(self.folder / "pictures", kind)


def contest(contenders: Contenders) -> ToyContest:
    opponent, version = ("champion", contenders.champion[0]) if contenders.champion else ("base", "base")
    names = (contenders.family, contenders.candidate, contenders.version)
    return ToyContest(*names, opponent, version, contenders.workspace)  # type: ignore[arg-type]
