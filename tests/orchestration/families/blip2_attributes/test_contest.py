"""Who is compared: a registered candidate beside the champion, or beside its base where there is none."""

import pytest

from catalog.errors import SelvedgeError
from orchestration.assets.candidates import Opening, record_opening
from orchestration.assets.published import Tables
from orchestration.families.blip2_attributes.contest import contest
from orchestration.families.blip2_attributes.declaration import BLIP2_ATTRIBUTES
from orchestration.families.registered import by_hand, registered
from orchestration.registry.registry import Registry
from orchestration.registry.tracking import Lineage, tracked_run
from tests.orchestration.registering import SERVED, FamilyForTests, recorded_champion
from tests.orchestration.trained_model import train_small_model

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.xdist_group("mlflow")]
NAMES = ("blip2-attributes-20260503-a1b2c3", "blip2-attributes-20260504-d4e5f6")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train_small_model(tmp_path_factory.mktemp("trained"))


@pytest.fixture
def family(mlflow_server, tmp_path):
    return FamilyForTests(Registry(mlflow_server), tmp_path)


def register(family, settings, trained, name):
    """The trained model as a candidate, with the record of what it was opened with."""
    dataset = {"dataset": str(trained.catalog), "question_set": "details"}
    record_opening(Tables(root=str(settings.tables())), name, Opening(family.name, {}, "d" * 64, dataset))
    with tracked_run(family.registry.uri, family.name, name, Lineage("training/candidate", name)) as run:
        return family.registry.register(family.name, name, trained.artefact, run, served=SERVED)


def test_the_champion_is_the_opponent_and_the_base_where_there_is_none(family, mlflow_server, trained, tmp_path):
    settings = mlflow_server.model_copy(update={"storage": str(tmp_path / "storage")})
    first, second = (register(family, settings, trained, name) for name in NAMES)
    alone = contest(registered(settings, family.name, NAMES[0]))
    assert (alone.candidate_version, alone.opponent) == ("1", "base") and alone.opponent_version.startswith("base-")
    assert alone.load_candidate().digest and not alone.load_opponent().digest
    recorded_champion(settings, first)
    beside = contest(registered(settings, family.name, NAMES[1]))
    assert (beside.candidate_version, beside.opponent, beside.opponent_version) == (
        str(second.version),
        "champion",
        "1",
    )
    assert set(beside.rows.splits["split"]) >= {"train", "test"}
    with pytest.raises(SelvedgeError, match=r"is the champion of .* itself; there is nothing to judge"):
        contest(registered(settings, family.name, NAMES[0]))
    with pytest.raises(
        SelvedgeError, match=rf"nobody of {family.name} is unknown to MLflow; the newest are .*{NAMES[1]}"
    ):
        registered(settings, family.name, "nobody")
    with pytest.raises(SelvedgeError, match="is unknown to MLflow; train one first"):
        registered(settings, "another-family", "nobody")


def test_a_model_with_neither_champion_nor_base_is_told(trained, tmp_path, monkeypatch):
    from training.blip2 import scoring as evaluation_run

    def gone(*arguments):
        raise SelvedgeError("blip2-tiny needs its weights; put them in models/blip2-tiny.")

    folders = by_hand(BLIP2_ATTRIBUTES, "by-hand", trained.artefact, None, trained.catalog)
    beside_base = contest(folders)
    assert beside_base.opponent == "base" and beside_base.candidate_version.startswith("model-")
    monkeypatch.setattr(evaluation_run, "base_of", gone)
    with pytest.raises(
        SelvedgeError, match="has no champion, and the base of by-hand cannot stand in: blip2-tiny needs"
    ):
        contest(folders)
