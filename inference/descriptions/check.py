"""Looking at a published table again: the figures for a check, and the same test of faithfulness made afresh.

Belongs here: judging rows that exist. Not here: making them (publish.py).
"""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pandas as pd

from catalog.schema import AttributeSchema
from inference.descriptions.facts import facts_of, rows_by_product, rows_of, sayable
from inference.descriptions.faithfulness import check_text
from inference.descriptions.wording import wording_of


@dataclass(frozen=True)
class UnfaithfulRow:
    """A published text that does not keep to what is known now."""

    product_id: int
    text: str
    faults: list[str]


def summarise_checks(descriptions: pd.DataFrame) -> dict[str, Any]:
    """The figures of a table `descriptions`: coverage, faults, attempts and writers, for an asset's metadata."""
    checks = [json.loads(text) for text in descriptions["checks"]]
    words = [len(str(text).split()) for text in descriptions["text"]]
    return {
        "rows": len(descriptions),
        "coverage_mean": sum(c["coverage"] for c in checks) / len(checks) if checks else None,
        "coverage_min": min((c["coverage"] for c in checks), default=None),
        "unsupported": sum(len(c["unsupported"]) for c in checks),
        "contradictions": sum(len(c["contradictions"]) for c in checks),
        "banned": sum(len(c["banned"]) for c in checks),
        "facts_stated": sum(len(c["facts"]) for c in checks),
        "conflicts": sum(len(c["conflicts"]) for c in checks),
        "rows_with_refused_drafts": sum(bool(c["refused"]) for c in checks),
        "writers": dict(Counter(descriptions["writer"])),
        "attempts": {int(attempt): n for attempt, n in sorted(Counter(descriptions["attempt"]).items())},
        "distinct_texts": int(descriptions["text"].nunique()),
        "words_mean": sum(words) / len(words) if words else None,
    }


def check_published(
    descriptions: pd.DataFrame, products: pd.DataFrame, attributes: pd.DataFrame, schema: AttributeSchema
) -> list[UnfaithfulRow]:
    """Published rows that are not faithful to the tables they were made from; judged afresh, not read from `checks`."""
    wording = wording_of(schema)
    rows = {int(row["product_id"]): row for row in rows_of(products)}
    answers = rows_by_product(attributes)
    faulty = []
    for row in rows_of(descriptions):
        product_id, text = int(row["product_id"]), str(row["text"])
        if product_id not in rows:
            faulty.append(UnfaithfulRow(product_id, text, ["There is no such product in this drop."]))
            continue
        facts = facts_of(rows[product_id], answers.get(product_id, []), wording.keys, wording.shelves)
        held = [(check_text(text, said, wording), said) for said in sayable(facts, wording.knows)]
        if not text or not any(findings.faithful for findings, _ in held):
            findings, said = held[0]
            faulty.append(UnfaithfulRow(product_id, text, findings.feedback(said)))
    return faulty
