"""Candidates with files and evidence, registered with a real MLflow server in milliseconds of training."""

import secrets
from dataclasses import dataclass
from pathlib import Path

from evaluation.evidence import Evidence, GateRule, Score
from orchestration.families.blip2_attributes.served import signature
from orchestration.registry.interface import CHAMPION, ModelVersionInfo, Served
from orchestration.registry.ledger import open_ledger
from orchestration.registry.registry import Registry
from orchestration.registry.tracking import Lineage, tracked_run
from orchestration.runtime.settings import Settings

SERVED = Served(Path(__file__).with_name("entry_for_tests.py"), signature, ("mlflow", "pandas"))


@dataclass
class FamilyForTests:
    """A family of its own for one test, on the shared server."""

    registry: Registry
    folder: Path

    def __post_init__(self) -> None:
        self.name = f"family-{secrets.token_hex(4)}"
        self.rule = GateRule(self.name)

    def artefact(self, content: str) -> Path:
        folder = self.folder / content
        folder.mkdir(exist_ok=True)
        (folder / "adapter.safetensors").write_text(content)
        return folder

    def candidate(self, name: str) -> ModelVersionInfo:
        with tracked_run(self.registry.uri, self.name, name, Lineage("training/candidate", name)) as run:
            return self.registry.register(self.name, name, self.artefact(name), run, served=SERVED)

    def evidence(self, candidate: str, champion: int | None, better_by: float = 0.1) -> Evidence:
        return evidence_of(self.name, candidate, champion, better_by)


def recorded_champion(settings: Settings, version: ModelVersionInfo) -> None:
    """A version becomes the first champion of its family, by the ledger and by the alias."""
    moves = open_ledger(settings).promotions
    record = moves.intend(
        family=version.family, kind="promotion", candidate=version.candidate, version=str(version.version),
        old_champion=None, previous_champion=None, who="test", reasons=("preferred.",), evidence={},
    )  # fmt: skip
    Registry(settings).client.set_registered_model_alias(version.family, CHAMPION, str(version.version))
    moves.complete(record.record_id)


def evidence_of(family: str, candidate: str, champion: int | None, better_by: float = 0.1) -> Evidence:
    """Scores on one attribute in which the candidate is better than base and champion by so much."""
    rivals = {"base": 0.3} | ({} if champion is None else {"champion": 0.5})
    ours = max(rivals.values()) + better_by
    scores = [
        Score(subject, attribute, "macro_f1", value, value - 0.02, value + 0.02, 400)
        for subject, value in {**rivals, "candidate": ours}.items()
        for attribute in ("pattern", "mean")
    ]
    for rival, value in rivals.items():
        gain = ours - value
        scores.append(Score("candidate", "mean", f"macro_f1_minus_{rival}", gain, gain - 0.02, gain + 0.02, 400))
    # To the best floor of the attribute, which a candidate has to beat clearly, too.
    scores.append(Score("candidate", "mean", "macro_f1_minus_floor", ours - 0.2, ours - 0.22, ours - 0.18, 400))
    version = None if champion is None else str(champion)
    return Evidence(family, candidate, version, "d" * 64, "2026-01-01T00:00:00+00:00", tuple(scores))
