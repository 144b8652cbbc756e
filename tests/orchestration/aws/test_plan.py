"""The plan of a deployment: every type of the template has its place among the prices, and the sum is of its lines."""

import json
from pathlib import Path

import pytest
import yaml

from catalog.errors import SelvedgeError
from orchestration.aws.plan import PRICES, TEMPLATE, make_plan
from orchestration.cli.main import run


def test_everything_that_would_be_created_is_counted_and_priced() -> None:
    plan = make_plan({})
    resources = json.loads(TEMPLATE.read_text())["Resources"]
    assert sum(plan.resources.values()) == len(resources)
    assert plan.usd == pytest.approx(sum(line.usd for line in plan.lines), abs=0.01)
    assert 0 < plan.assumed_usd < plan.usd
    prices = yaml.safe_load(PRICES.read_text())
    rows = [*prices["standing"].values(), *prices["sized"], *prices["used"]]
    assert all(row["usd"] >= 0 and row["source"] for row in rows)
    assert not set(prices["free"]) & set(prices["standing"])
    assert set(prices["free"]) | set(prices["standing"]) == set(plan.resources), "the table names what is not created"


def test_a_month_follows_its_use_and_the_template() -> None:
    quiet, busy = make_plan({"ad_requests": 0}), make_plan({"ad_requests": 1_000_000})
    assert busy.usd - quiet.usd == pytest.approx(4600, rel=0.01)
    fargate = next(line for line in quiet.lines if line.what == "Fargate")
    assert (fargate.quantity, fargate.usd) == (4 * 730, pytest.approx(118.20, abs=0.01))


def test_a_type_without_a_price_and_a_use_that_is_none_are_told(tmp_path: Path) -> None:
    table = tmp_path / "prices.yaml"
    table.write_text(PRICES.read_text().replace("  - AWS::EC2::VPC\n", ""))
    with pytest.raises(SelvedgeError, match=r"knows nothing of AWS::EC2::VPC; add it"):
        make_plan({}, table)
    with pytest.raises(SelvedgeError, match="--use colour is nothing"):
        make_plan({"colour": 1})


def test_the_command_says_both_forms(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["deploy", "plan", "--use", "endpoint_hours=730", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert any(line["what"].startswith("endpoint_hours") and line["usd"] > 1000 for line in told["lines"])
    assert run(["deploy", "plan"]) == 0
    assert "USD in all" in capsys.readouterr().out
    for wrong in ("ad_requests", "ad_requests=-1", "ad_requests=many"):
        assert run(["deploy", "plan", "--use", wrong]) == 1
        assert "is not NAME=NUMBER" in capsys.readouterr().err
