"""Published tables by partition: many are asked for at once, and the answer is what asking one by one gives."""

import dagster as dg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import SelvedgeError
from orchestration.assets import published
from orchestration.assets.published import Tables, materialised, materialised_each

NAME = "catalog/products"
PARTITIONS = ("a", "b", "c", "d")


def said(instance, partition, number, name=NAME):
    key = dg.AssetKey(name.split("/"))
    instance.report_runless_asset_event(
        dg.AssetMaterialization(key, partition=partition, metadata={"number": number, "kept": {"of": partition}})
    )


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from([*PARTITIONS, None]), max_size=9), st.integers(1, 3))
def test_asking_of_all_is_asking_of_each(order, at_once):
    with dg.DagsterInstance.ephemeral() as instance, pytest.MonkeyPatch.context() as patch:
        patch.setattr(published, "MOST_AT_ONCE", at_once)
        for number, partition in enumerate(order):
            said(instance, partition, number)
            said(instance, partition, -1, "catalog/images")
        each = {name: materialised(instance, NAME, name) for name in PARTITIONS if name in order}
        assert materialised_each(instance, NAME) == each
        assert materialised_each(instance, NAME, {"b", "nobody"}) == {name: each[name] for name in each if name == "b"}


def test_a_year_of_drops_costs_as_many_questions_as_a_day(monkeypatch):
    with dg.DagsterInstance.ephemeral() as instance:
        asked = []
        fetch = instance.fetch_materializations
        monkeypatch.setattr(instance, "fetch_materializations", lambda *a, **k: asked.append(a) or fetch(*a, **k))
        for number in range(60):
            said(instance, f"drop-{number}", number)
        assert len(materialised_each(instance, NAME)) == 60 and len(asked) == 1


def test_references_come_in_the_order_asked_and_name_what_is_missing(tmp_path):
    tables = Tables(root=str(tmp_path))
    with dg.DagsterInstance.ephemeral() as instance:
        for name in ("b", "a"):
            reference = {"uri": "/elsewhere", "sha256": name * 64, "rows": 3, "schema": "products"}
            instance.report_runless_asset_event(
                dg.AssetMaterialization(dg.AssetKey(NAME.split("/")), partition=name, metadata=reference)
            )
        assert list(tables.references(instance, NAME, ["a", "b"])) == ["a", "b"]
        assert tables.references(instance, NAME, ["b"])["b"] == tables.reference(instance, NAME, "b")
        with pytest.raises(SelvedgeError, match="of c was never materialised"):
            tables.references(instance, NAME, ["a", "c"])
