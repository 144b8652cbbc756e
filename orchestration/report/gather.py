"""What the report shows, read from the published tables and from what Dagster recorded beside them.

Belongs here: reading, counting, choosing the products to show.
Not here: HTML (render.py), the contents' types (data.py).
"""

import shlex
from collections import Counter
from datetime import datetime
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd

from catalog.errors import SelvedgeError
from orchestration.assets.partitions import DROPS, candidate_partitions
from orchestration.assets.published import Tables, materialised, newest
from orchestration.families.blip2_attributes.declaration import BLIP2_ATTRIBUTES
from orchestration.families.contract import Family
from orchestration.families.restgan.declaration import RESTGAN
from orchestration.graph.evidence import evidence_place, newest_round, whole_evidence
from orchestration.report import pictures
from orchestration.report.data import (
    Answer,
    Judged,
    LineageStep,
    Pictured,
    ProductCard,
    Promotion,
    QuarantineSample,
    ReportData,
)
from orchestration.runtime.settings import Settings

SHOWN_PRODUCTS = 12
STRIP_PRODUCTS = 24
SAMPLES_PER_REASON = 1
CHOICE_SEED = 11  # which products are shown does not change from run to run
BY_DROP = (
    *("catalog/products", "catalog/quarantine", "catalog/images"),
    *("inference/attributes", "inference/descriptions", "inference/discovery_index"),
)
COLUMNS = {
    "article type": "article_type",
    "base colour": "base_colour",
    "gender": "gender",
    "master category": "master_category",
    "season": "season",
    "usage": "usage",
}


class Home:
    """The tables of one home and the instance that wrote them."""

    def __init__(self, instance: dg.DagsterInstance, settings: Settings) -> None:
        self.instance, self.settings = instance, settings
        self.tables = Tables(root=str(settings.tables()))
        self.drops = sorted(instance.get_materialized_partitions(dg.AssetKey(["catalog", "products"])))
        if not self.drops:
            raise SelvedgeError(
                f"{settings.home} holds no drop yet; run `selvedge demo` or materialise catalog/products."
            )
        order = DROPS.get_partition_keys(dynamic_partitions_store=instance)
        self.drops.sort(key=lambda drop: order.index(drop) if drop in order else len(order))

    def frame(self, name: str, partition: str | None = None) -> pd.DataFrame:
        """A table as a frame; empty where it was never published."""
        table = self.tables.latest(name, partition)
        return pd.DataFrame() if table is None else table.to_pandas()

    def all_drops(self, name: str) -> pd.DataFrame:
        """Every drop's table under one another."""
        frames = [frame for drop in self.drops if len(frame := self.frame(name, drop))]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    def candidate(self, family: Family) -> str | None:
        """The newest candidate of a family that was scored."""
        partitions = candidate_partitions(family.name)
        keys = partitions.get_partition_keys(dynamic_partitions_store=self.instance)
        done = self.instance.get_materialized_partitions(family.scores)
        return next((key for key in reversed(list(keys)) if key in done), None)


def gather(
    instance: dg.DagsterInstance, settings: Settings, seconds: dict[str, float], peak_memory: float
) -> ReportData:
    """Everything the page shows.

    Raises:
        SelvedgeError: no drop was read yet.
    """
    home = Home(instance, settings)
    products, quarantine = home.all_drops("catalog/products"), home.all_drops("catalog/quarantine")
    images, splits, pairs = (
        home.all_drops("catalog/images"),
        home.frame("catalog/splits"),
        home.frame("catalog/qa_pairs"),
    )
    attributes, descriptions = home.all_drops("inference/attributes"), home.all_drops("inference/descriptions")
    candidate = home.candidate(BLIP2_ATTRIBUTES)
    where = (
        {int(product): uri for product, uri in zip(images["product_id"], images["uri"], strict=True)}
        if len(images)
        else {}
    )
    source = (materialised(instance, "catalog/products", home.drops[0]) or {}).get("source", "")
    sizes = (
        splits.loc[splits["split"] != "excluded", "group_id"].value_counts() if len(splits) else pd.Series(dtype=int)
    )
    shared = _shared(splits, products)
    return ReportData(
        catalogue=_shown(source, settings),
        drop=" and ".join(home.drops[:3]) + (" …" if len(home.drops) > 3 else ""),
        drawn=_is_drawn(source),
        rows=len(products) + len(quarantine),
        products=products,
        strip=pictures.strip(products, where, STRIP_PRODUCTS, CHOICE_SEED),
        colours=pictures.colours(products, where, CHOICE_SEED),
        quarantine=_reasons(quarantine),
        quarantine_samples=_samples(quarantine),
        recovered=sum(_recovered(instance, drop) for drop in home.drops),
        missing={name: n for name, column in COLUMNS.items() if (n := int(products[column].isna().sum()))},
        splits=splits["split"].value_counts().to_dict() if len(splits) else {},
        groups=len(sizes),
        largest_group=int(sizes.max()) if len(sizes) else 0,
        groups_of_several=int((sizes > 1).sum()),
        shared_groups=shared["group"],
        shared_images=shared["image"],
        excluded=int((splits["split"] == "excluded").sum()) if len(splits) else 0,
        qa_pairs=len(pairs),
        unmapped=_unmapped(home),
        scores=home.frame("/".join(BLIP2_ATTRIBUTES.scores.path), candidate) if candidate else pd.DataFrame(),
        curves=pictures.curves(instance, candidate),
        score_plot=_evidence_picture(home, BLIP2_ATTRIBUTES, candidate, "confusion.png", "what the candidate confuses"),
        risk_plot=_evidence_picture(
            home, BLIP2_ATTRIBUTES, candidate, "coverage_risk.png", "share answered against share wrong"
        ),
        domain=sorted(pairs["attribute"].unique()) if len(pairs) else [],
        judged=_judged(home, BLIP2_ATTRIBUTES, candidate),
        promotion=_promotion(home, BLIP2_ATTRIBUTES, candidate),
        pictured=_pictured(home),
        cards=_cards(products, splits, where, attributes, descriptions, pairs),
        descriptions=len(descriptions),
        abstained=float(attributes["abstained"].mean()) if len(attributes) else 0.0,
        lineage=_lineage(home, candidate),
        commands=_commands(settings, candidate),
        seconds=seconds,
        peak_memory=peak_memory,
    )


def _shown(source: str, settings: Settings) -> str:
    """Where the first drop came from; what the demo drew is named without the home it lies in."""
    drawn = settings.home / "drawn"
    return Path(source).name if Path(source).is_relative_to(drawn) else source


def _recovered(instance: dg.DagsterInstance, drop: str) -> int:
    """Rows put right while reading, those among them that went to quarantine for another reason included."""
    counts = (materialised(instance, "catalog/products", drop) or {}).get("counts", {})
    return int(counts.get("recovered", 0))


def _is_drawn(source: str) -> bool:
    from upath import UPath

    return bool(source) and (UPath(source) / "truth" / "drawn.json").exists()


def _shared(splits: pd.DataFrame, products: pd.DataFrame) -> Counter[str]:
    from catalog.splits import leaks

    return Counter(leak.kind for leak in leaks(splits, products)) if len(splits) else Counter()


def _reasons(quarantine: pd.DataFrame) -> dict[str, int]:
    return {str(reason): int(n) for reason, n in quarantine["reason"].value_counts().items()} if len(quarantine) else {}


def _samples(quarantine: pd.DataFrame) -> list[QuarantineSample]:
    if quarantine.empty:
        return []
    chosen = quarantine.sort_values(["reason", "line"]).groupby("reason").head(SAMPLES_PER_REASON)
    return [
        QuarantineSample(
            int(row.line), str(row.reason), bytes(row.raw).decode("utf-8", "replace").strip(), str(row.detail)
        )
        for row in chosen.itertuples(index=False)
    ]


def _unmapped(home: Home) -> list[tuple[str, str, int]]:
    """Values that no question is asked about: outside the vocabulary, or too rare."""
    summary = (materialised(home.instance, "catalog/qa_pairs") or {}).get("summary", {})
    found = [
        (attribute, value, int(rows))
        for kind in ("unmapped", "rare")
        for attribute, values in summary.get(kind, {}).items()
        for value, rows in values.items()
    ]
    return sorted(found, key=lambda entry: -entry[2])


def _evidence_picture(
    home: Home, family: Family, candidate: str | None, name: str, label: str
) -> pictures.Picture | None:
    if candidate is None:
        return None
    place = evidence_place(family, home.tables, candidate).with_name(name)
    return pictures.Picture(place.read_bytes(), "image/png", label) if place.exists() else None


def _pictured(home: Home) -> Pictured | None:
    """The newest candidate of restgan; None where none was scored."""
    from training.restgan.scoring import SCORES_PLOT, STRIP_FILE, WORDS_FILE

    candidate = home.candidate(RESTGAN)
    if candidate is None:
        return None
    scores = home.frame("/".join(RESTGAN.scores.path), candidate)
    whole = scores[scores["slice"] == "all"]
    rows: dict[str, dict[str, float]] = {}
    for row in whole.itertuples(index=False):
        if row.metric == "accuracy" or row.attribute == "pictures":
            name = row.metric if row.attribute == "pictures" else row.attribute
            rows.setdefault(str(row.subject), {})[str(name)] = float(row.value)
    told = materialised(home.instance, "training/word_sequences") or {}
    shown = materialised(home.instance, "training/color_table") or {}
    return Pictured(
        candidate=candidate,
        bottoms=int(told.get("products", 0)),
        words=_evidence_picture(home, RESTGAN, candidate, WORDS_FILE, "a picture after every word of held-out titles"),
        compared=_evidence_picture(home, RESTGAN, candidate, STRIP_FILE, "the same words and noise for every model"),
        colours=pictures.embedded(str(shown.get("table", "")), "the colour table"),
        score_plot=_evidence_picture(home, RESTGAN, candidate, SCORES_PLOT, "what held-out words drew"),
        rows=rows,
        judged=_judged(home, RESTGAN, candidate),
        promotion=_promotion(home, RESTGAN, candidate),
    )


def _promotion(home: Home, family: Family, candidate: str | None) -> Promotion | None:
    """What became of the newest candidate: the promotion's own record, or the gate's reasons against it."""
    if candidate is None:
        return None
    from evaluation.gate import decide
    from evaluation.verdict_gate import rests_on_simulation
    from orchestration.registry.ledger import open_ledger

    scores = materialised(home.instance, "/".join(family.scores.path), candidate) or {}
    promoted = materialised(home.instance, "/".join(family.promotion.path), candidate)
    evidence = whole_evidence(family, home.instance, home.tables, open_ledger(home.settings), candidate)
    reasons = list(decide(family.rule(home.settings), evidence, evidence.champion_version).reasons)
    against = scores.get("against", "no champion")
    return Promotion(
        candidate,
        str(promoted["version"]) if promoted else "",
        promoted is not None,
        reasons,
        "the base (there was no champion)" if against == "no champion" else f"champion version {against}",
        rests_on_simulation(evidence),
    )


def _judged(home: Home, family: Family, candidate: str | None) -> Judged | None:
    """How the newest candidate's round stands; None where it has none."""
    from labeling.review.rounds.judging import evidence_picture, standing
    from orchestration.registry.ledger import open_ledger

    ledger = open_ledger(home.settings)
    found = None if candidate is None else newest_round(ledger, family.name, candidate)
    if found is None:
        return None
    plan = found.plan
    now = standing(ledger, plan.round_id)
    judgement = now.judgement
    plot = evidence_picture(ledger, found)
    page = home.settings.round_report(plan.round_id)
    won, lost = judgement.counts["candidate"], judgement.counts["champion"]
    return Judged(
        round_id=plan.round_id,
        kind=plan.kind.replace("-", " "),
        opponent="the base" if plan.opponent == "base" else f"champion version {plan.opponent_version}",
        pairs=len(ledger.pairs(plan.round_id)),
        outcome=now.verdict.outcome if now.verdict else "open",
        reasons=list(judgement.reasons),
        counts=dict(judgement.counts),
        share=won / (won + lost) if won + lost else None,
        low=judgement.effective_low,
        high=judgement.effective_high,
        annotators=len(judgement.raters) + len(judgement.excluded),
        excluded=dict(judgement.excluded),
        simulated=now.simulated,
        plot=pictures.Picture(plot, "image/png", "evidence by ballot") if plot else None,
        page=f"{page.parent.name}/{page.name}" if now.verdict and page.exists() else "",
    )


def _cards(
    products: pd.DataFrame,
    splits: pd.DataFrame,
    where: dict[int, str],
    attributes: pd.DataFrame,
    descriptions: pd.DataFrame,
    pairs: pd.DataFrame,
) -> list[ProductCard]:
    """Twelve published products, of as many types as there are, those of the test split first."""
    if descriptions.empty:
        return []
    split_of = dict(zip(splits["product_id"], splits["split"], strict=True)) if len(splits) else {}
    known = {
        (int(pair["product_id"]), str(pair["attribute"])): str(pair["value"]) for pair in pairs.to_dict("records")
    } if len(pairs) else {}  # fmt: skip
    text_of = descriptions.drop_duplicates("product_id", keep="last").set_index("product_id")
    answers_of = dict(tuple(attributes.groupby("product_id")))
    cards = []
    for row in _spread(products[products["product_id"].isin(text_of.index)], split_of).itertuples(index=False):
        product = int(row.product_id)
        answered = answers_of.get(product)
        answers = [] if answered is None else [
            Answer(str(a["attribute"]), str(a["value"]), float(a["confidence"]), bool(a["abstained"]),
                   known.get((product, str(a["attribute"]))))
            for a in answered.to_dict("records")
        ]  # fmt: skip
        text = text_of.loc[product]
        photo = pictures.photo(where[product], str(row.product_display_name))
        cards.append(ProductCard(product, str(row.product_display_name), split_of.get(product, "new"), photo, answers,
                                 str(text["text"]), f"the {text['writer']} writer"))  # fmt: skip
    return cards


def _spread(products: pd.DataFrame, split_of: dict[int, str]) -> pd.DataFrame:
    """Products to show: round-robin over the types, test products first, the same on every run."""
    order = np.random.default_rng(CHOICE_SEED).permutation(len(products))
    shuffled = products.iloc[order]
    test = shuffled["product_id"].map(lambda product: split_of.get(int(product)) != "test")
    shuffled = shuffled.assign(later=test.to_numpy()).sort_values("later", kind="stable")
    turn = shuffled.groupby("article_type").cumcount()
    return shuffled.assign(turn=turn).sort_values(["turn", "later"], kind="stable").head(SHOWN_PRODUCTS)


def _lineage(home: Home, candidate: str | None) -> list[LineageStep]:
    steps: list[LineageStep | None] = [_step(home, name, drop) for drop in home.drops for name in BY_DROP[:3]]
    steps += [
        _step(home, name, None)
        for name in ("catalog/splits", "catalog/qa_pairs", "training/blip2_base", "training/blip2_features")
    ]
    steps += _road(home, BLIP2_ATTRIBUTES, candidate)
    steps += [_step(home, f"training/{name}", None) for name in ("color_table", "word_sequences", "restgan_judge")]
    steps += _road(home, RESTGAN, home.candidate(RESTGAN))
    steps += [_step(home, name, drop) for drop in home.drops for name in BY_DROP[3:]]
    return [step for step in steps if step is not None]


def _road(home: Home, family: Family, candidate: str | None) -> list[LineageStep | None]:
    keys = (family.candidate, family.scores, family.round, family.verdict, family.promotion)
    steps = [_step(home, "/".join(key.path), candidate) for key in keys] if candidate else []
    return [*steps, _step(home, "/".join(family.champion.path), None)]


def _step(home: Home, name: str, partition: str | None) -> LineageStep | None:
    event = newest(home.instance, name, partition)
    metadata = materialised(home.instance, name, partition)
    if event is None or metadata is None or event.asset_materialization is None:
        return None
    version = (event.asset_materialization.tags or {}).get("dagster/data_version", "")
    content = str(metadata.get("sha256") or metadata.get("digest") or version)
    written = datetime.fromtimestamp(event.timestamp).strftime("%Y-%m-%d %H:%M:%S")
    rows = metadata.get("rows")
    return LineageStep(
        name,
        partition or "",
        None if rows is None else int(rows),
        content,
        written,
        str(metadata.get("MLflow run", "")),
    )


def _commands(settings: Settings, candidate: str | None) -> list[tuple[str, str]]:
    usual = Path(Settings.model_fields["home"].default).resolve()
    at = "" if settings.home.resolve() == usual else f"SELVEDGE_HOME={shlex.quote(str(settings.home))} "
    inbox = shlex.quote(f"{settings.home}/inbox/2026-12-01")
    commands = [
        (f"{at}make up", "Dagster, MLflow and Label Studio with one link each"),
        (f"cp -r CATALOGUE {inbox}", "a new drop; `make up` reads and describes it"),
        ("make demo CATALOG=DIR", "the same on a catalogue of yours"),
        (f"{at}.venv/bin/selvedge status", "drops, candidates and the champion"),
        (f"{at}.venv/bin/selvedge review status", "rounds, their ballots and verdicts"),
        (f"{at}.venv/bin/selvedge history blip2-attributes", "who was champion when, and why"),
        (f"{at}.venv/bin/selvedge rollback blip2-attributes", "the previous champion again"),
        (f"{at}.venv/bin/selvedge infer attributes --catalog DIR --out DIR", "what the champion sees in any catalogue"),
        (f"{at}.venv/bin/selvedge infer descriptions --catalog DIR --out DIR", "and what it says of it"),
        (f"{at}.venv/bin/selvedge discover", "type words, see pictures and the products like them"),
    ]  # fmt: skip
    return commands if candidate else commands[:3]
