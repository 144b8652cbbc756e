"""From products and their attributes to published descriptions: write, check, retry, fall back, stamp.

Belongs here: the loop over products, the input hash, the last assertion before a row may be published.
Not here: writing (grammar.py, bedrock.py, local_llm.py), checking (faithfulness.py), where the table lies.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from catalog.errors import SelvedgeError
from catalog.files import json_sha256
from catalog.schema import AttributeSchema
from inference.descriptions.facts import ProductFacts, facts_of, rows_by_product, rows_of, sayable
from inference.descriptions.faithfulness import Findings, brand_pattern, check_text
from inference.descriptions.grammar import GrammarWriter
from inference.descriptions.journal import Journal
from inference.descriptions.wording import Wording, wording_of
from inference.descriptions.writer import BudgetSpent, Draft, Writer
from inference.tables import DESCRIPTIONS

FORMAT = 1
RETRIES = 2
SHOWN_WORDS = 5
SHOWN_REASONS = 20
GRAMMAR_PLANS = 8  # choices of sentence plans tried before a product is given up
Progress = Callable[[int, int, str], None]
COLUMNS = DESCRIPTIONS.names


@dataclass
class DescribedTable:
    """A whole table `descriptions` and how it came about.

    Attributes:
        frame: one row per product that could be described, in the products' order.
        left_out: why a product has no text, by product id; its next run tries again.
        unsaid: values of trusted columns that no text says, because no vocabulary knows them, as {value: products}.
        written, reused: rows made now, rows taken over because nothing they depend on changed.
        writers: published rows by writer, of those written now.
        refused: drafts that the check turned down. fell_back: rows the grammar writer had to take over.
        conflicts: predictions overruled by a trusted column. tokens_in, tokens_out: billed by the writer.
    """

    frame: pd.DataFrame
    left_out: dict[int, str] = field(default_factory=dict)
    unsaid: Counter[str] = field(default_factory=Counter)
    written: int = 0
    reused: int = 0
    writers: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    fell_back: int = 0
    conflicts: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    def counts(self) -> dict[str, int]:
        """The figures for an asset's metadata."""
        figures = ("written", "reused", "refused", "fell_back", "conflicts", "tokens_in", "tokens_out")
        counted = {name: int(getattr(self, name)) for name in figures}
        return counted | {"left_out": len(self.left_out)} | {f"by_{k}": n for k, n in self.writers.items()}

    def doubts(self) -> list[str]:
        """What a person should know of rows that are missing or say less, one sentence each."""
        sentences = []
        if self.unsaid:
            words = ", ".join(f"{value!r} ({number})" for value, number in self.unsaid.most_common(SHOWN_WORDS))
            sentences.append(
                f"{self.unsaid.total()} products are described without a word that no vocabulary knows: {words}; "
                "add it to catalog/attributes.yaml."
            )
        if self.left_out:
            sentences.append(f"{len(self.left_out)} products have no description.")
            sentences += [f"{reason}." for reason in list(self.left_out.values())[:SHOWN_REASONS]]
        return sentences


def describe(
    products: pd.DataFrame,
    attributes: pd.DataFrame,
    previous: pd.DataFrame | None,
    writer: Writer | None,
    schema: AttributeSchema,
    *,
    journal: Journal | None = None,
    progress: Progress | None = None,
) -> DescribedTable:
    """Describe every product.

    Args:
        products, attributes: tables of those names, for one drop.
        previous: the table `descriptions` as last published; rows whose input hash still holds are taken over.
        writer: None for the grammar writer alone. A draft that fails the check is asked for again, naming what was
            wrong, at most twice; then, or when the writer's budget is spent, the grammar writer takes over.
        schema: the one the attributes were predicted with.
        journal: keeps paid drafts of an unfinished run, so that a killed one does not pay twice.
        progress: called with (done, total, "describing").

    Returns:
        Every row covers 100 % of its product's facts, with nothing unsupported, contradicted or banned. A product whose
        facts not even the grammar writer can say faithfully has no row; the others have theirs.

    Raises:
        SelvedgeError: no product at all can be described; nothing is published.
    """
    wording = wording_of(schema)
    desk = _Desk(wording, writer, journal, brand_pattern(_brands(products), wording))
    stamps = [schema.digest(), *desk.stamp]
    kept = _kept_rows(previous)
    answers = rows_by_product(attributes)
    rows: list[dict[str, Any]] = []
    described = DescribedTable(pd.DataFrame())
    for product in rows_of(products):
        own = answers.get(int(product["product_id"]), [])
        facts = facts_of(product, own, wording.keys, wording.shelves)
        input_hash = _input_hash(facts, own, stamps)
        published = kept.get((str(product["drop"]), facts.product_id))
        described.conflicts += len(facts.conflicts)
        if published is not None and published["input_hash"] == input_hash:
            described.reused += 1
            rows.append(published)
        else:
            text = desk.text(facts, _model_version(own), input_hash, described)
            rows += [{"drop": str(product["drop"]), "input_hash": input_hash, **text}] if text else []
        if progress is not None:
            progress(len(rows) + len(described.left_out), len(products), "describing")
    if described.left_out and not rows:
        raise SelvedgeError(f"{next(iter(described.left_out.values()))}.")
    for row in rows:
        described.unsaid.update(json.loads(row["checks"]).get("unsaid", {}).values())
    described.frame = pd.DataFrame(rows, columns=COLUMNS)
    return described


@contextmanager
def described(
    products: pa.Table,
    attributes: pa.Table,
    previous: pa.Table | None,
    writer: Writer | None,
    schema: AttributeSchema,
    journal_file: Path,
    progress: Progress,
) -> Iterator[DescribedTable]:
    """Descriptions of the products of two published tables, to be published inside the context.

    Args:
        previous, writer, schema: as for `describe`.
        journal_file: drafts of a paid writer, which outlive a kill; gone once the texts are published.

    Raises:
        SelvedgeError: as `describe`.
    """
    journal = Journal(journal_file) if writer else None
    yield describe(
        products.to_pandas(),
        attributes.to_pandas(),
        None if previous is None else previous.to_pandas(),
        writer,
        schema,
        journal=journal,
        progress=progress,
    )
    if journal is not None:
        journal.discard()


class _Desk:
    """Where one text is written: by the chosen writer, then by the grammar writer.

    Attributes:
        stamp: everything about the writers and the check that a row depends on.
    """

    def __init__(
        self, wording: Wording, writer: Writer | None, journal: Journal | None, brands: re.Pattern[str] | None
    ) -> None:
        self._wording = wording
        self._writer = writer
        self._journal = journal
        self._brands = brands
        self._out_of_budget = False
        identity = [writer.name, writer.model_version, writer.prompt_version] if writer else []
        self.stamp = [*identity, GrammarWriter.name, GrammarWriter(wording).prompt_version, wording.version]

    def text(
        self, facts: ProductFacts, model_version: str, input_hash: str, described: DescribedTable
    ) -> dict[str, Any] | None:
        """The first draft that passes the check, with its stamps; None if none does, the reason in `described`."""
        refused: list[str] = []
        attempt = 0
        choices = sayable(facts, self._wording.knows)
        for number, said in enumerate(choices):
            drafts = self._drafts(said, model_version, input_hash, refused, described, paid=number == 0)
            for writer, draft in drafts:
                attempt += 1
                findings = check_text(draft.text, said, self._wording, self._brands)
                if not draft.text or not findings.faithful:
                    described.refused += 1
                    refused += findings.feedback(said) or ["Write a whole description."]
                    continue
                _assert_publishable(draft.text, findings, said)
                described.written += 1
                described.writers[writer.name] += 1
                described.fell_back += self._writer is not None and writer is not self._writer
                unsaid = {key: value for key, value in facts.values.items() if key not in said.values}
                checks = findings.as_dict() | {"facts": dict(said.values), "conflicts": dict(said.conflicts)}
                checks |= {"refused": refused} | ({"unsaid": unsaid} if unsaid else {})
                return {
                    "product_id": facts.product_id,
                    "text": draft.text,
                    "writer": f"{writer.name}:{writer.model_version}" if writer.model_version else writer.name,
                    "checks": json.dumps(checks, ensure_ascii=False),
                    "attempt": attempt,
                    "model_version": model_version,
                    "prompt_version": writer.prompt_version,
                }
        described.left_out[facts.product_id] = (
            f"product {facts.product_id} cannot be described faithfully ({' '.join(refused[-2:])}); word its values in "
            "inference/descriptions/wording.yaml"
        )
        return None

    def _drafts(
        self,
        facts: ProductFacts,
        model_version: str,
        input_hash: str,
        refused: list[str],
        described: DescribedTable,
        *,
        paid: bool,
    ) -> Iterator[tuple[Writer, Draft]]:
        """Drafts until one is accepted; `refused` grows between them. paid: ask the chosen writer first."""
        before = len(refused)
        for attempt in range(1 + RETRIES if paid else 0):
            draft = self._asked(facts, list(refused), f"{input_hash}/{attempt}", described)
            if draft is None or self._writer is None:
                break
            yield self._writer, draft
        grammar = GrammarWriter(self._wording, seed=model_version)
        for plan in range(GRAMMAR_PLANS):
            yield grammar, grammar.write(facts, refused[before:][:plan] if not paid else refused[:plan])

    def _asked(self, facts: ProductFacts, feedback: list[str], key: str, described: DescribedTable) -> Draft | None:
        """A draft of the chosen writer, from the journal if it was paid for before; None when it can give none."""
        if self._writer is None:
            return None
        kept = self._journal.find(key) if self._journal else None
        if kept is not None:
            return Draft(kept)
        if self._out_of_budget:
            return None
        try:
            draft = self._writer.write(facts, feedback)
        except BudgetSpent:
            self._out_of_budget = True
            return None
        described.tokens_in += draft.tokens_in
        described.tokens_out += draft.tokens_out
        if self._journal:
            self._journal.keep(key, draft.text)
        return draft


def _assert_publishable(text: str, findings: Findings, facts: ProductFacts) -> None:
    """The last look before a row is published; a programming error, never bad input, if it fails."""
    if not (text and findings.coverage == 1.0 and findings.faithful):
        raise AssertionError(f"product {facts.product_id}: an unfaithful text reached publishing: {findings.as_dict()}")


def _input_hash(facts: ProductFacts, answers: list[dict[str, Any]], stamps: list[str]) -> str:
    """Changes when image, model, prompt, schema, wording or a trusted column changes, and only then.

    An attribute row's own input hash stands for image, model, schema and question.
    """
    asked = sorted(f"{row['attribute']}={row['input_hash']}" for row in answers)
    content = [FORMAT, facts.product_id, facts.canonical(), asked, stamps]
    return json_sha256(content, sort_keys=False, ensure_ascii=False)


def _model_version(answers: list[dict[str, Any]]) -> str:
    """Uri and digest of the model whose answers a text rests on; "" where no model was asked."""
    versions = {f"{row['model_uri']}@{str(row['model_digest'])[:12]}" for row in answers}
    return ", ".join(sorted(versions))


def _kept_rows(previous: pd.DataFrame | None) -> dict[tuple[str, int], dict[str, Any]]:
    if previous is None or previous.empty:
        return {}
    return {(str(row["drop"]), int(row["product_id"])): row for row in rows_of(previous[COLUMNS])}


def _brands(products: pd.DataFrame) -> Iterable[str]:
    return {str(brand) for brand in products["brand"].dropna()} if "brand" in products else ()
