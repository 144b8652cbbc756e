"""Hops that were published of a product: its sentence, ads, the facts and answers behind them, its group, its delivery.

Belongs here: looking them up and hashing them again. Not here: the model's part of the chain (model_hops.py).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from upath import UPath

from catalog.rows import decode_line
from catalog.stores import stored_bytes
from orchestration.assets.published import materialised
from orchestration.report.hops import BROKEN, CHECKED, MISSING, RECORDED, SHORT, Hop, Sources

SENTENCES, ANSWERS, ADS = "inference/descriptions", "inference/attributes", "inference/ad_images"


def sentence_hops(sources: Sources, drop: str, product_id: int) -> tuple[dict[str, Any], list[Hop]]:
    """The published text of a product, and the facts that it states; {} where it has none."""
    rows, table = sources.rows_of(SENTENCES, drop, product_id)
    if not rows:
        return {}, [_without(table, "sentence", f"{SENTENCES} of {drop} leaves this product out")]
    row = rows[0]
    checks = json.loads(row["checks"])
    facts = ", ".join(f"{name} {value}" for name, value in checks.get("facts", {}).items())
    overruled = ", ".join(f"{name} {value}" for name, value in checks.get("conflicts", {}).items())
    claim = "every fact is said, nothing else is claimed" if not checks.get("unsupported") else "claims more"
    return row, [
        Hop("sentence", str(row["text"]), table.link, table.state, table.note),
        Hop(
            "facts",
            facts,
            table.link,
            table.state,
            f"{claim}; written by {row['writer']} ({row['prompt_version']})"
            + (f"; answers overruled by a trusted column: {overruled}" if overruled else ""),
        ),
    ]


def attribute_hops(
    sources: Sources, drop: str, product_id: int, text: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], list[Hop]]:
    """The answers behind a product's facts, each with its confidence; and whether the text names the same model."""
    rows, table = sources.rows_of(ANSWERS, drop, product_id)
    if not rows:
        return [], [_without(table, "attributes", "no question applies to this product")]
    said = ", ".join(
        f"{row['attribute']} {row['value']} {row['confidence']:.2f}{' (abstained)' if row['abstained'] else ''}"
        for row in rows
    )
    named = _models(rows)
    if text and text["model_version"] != named:
        note = f"the text was written from answers of {text['model_version']}, these are of {named}"
        return rows, [Hop("attributes", said, table.link, BROKEN, f"{note}; materialise {SENTENCES} of {drop} again")]
    return rows, [Hop("attributes", said, table.link, table.state, table.note)]


def ad_hops(sources: Sources, drop: str, product_id: int, answers: Sequence[Mapping[str, Any]]) -> list[Hop]:
    """The ads that a product is shown with: what people picked, and else the ranker's first of each theme.

    Each picture and its recipe are held to their hashes; both name the model whose answers the brief rests on.
    """
    from inference.ad_images.published import broken_pictures

    frame, table = sources.table(ADS, drop)
    if table.state == BROKEN:
        return [_without(table, "ad", "")]
    shown = frame[frame["product_id"] == product_id] if len(frame) else frame
    if shown.empty:
        return []
    picked = shown["sha256"].isin(sources.picked)
    of_people = set(shown[picked]["theme"])
    shown = shown[picked | ((shown["rank"] == 1) & ~shown["theme"].isin(of_people))]
    broken = {fault.uri: fault.why for fault in broken_pictures(shown)}
    named = _models(answers)
    hops = []
    for row in shown.to_dict("records"):
        uri, votes = str(row["uri"]), sources.picked.get(str(row["sha256"]))
        scripted = "scripted annotators" if votes is not None and votes.simulated else "annotators"
        why = f"picked by {votes.picks} {scripted}" if votes else "first by the ranker"
        value = f"{str(row['theme']).replace('_', ' ')}: {why}; {row['caption']}"
        if uri in broken:
            hops.append(Hop("ad", value, uri, BROKEN, broken[uri]))
        elif answers and str(row["model_version"]) not in ("", named):
            note = f"its brief rests on answers of {row['model_version']}, those below are of {named}"
            hops.append(Hop("ad", value, uri, BROKEN, f"{note}; materialise {ADS} of {drop} again"))
        else:
            note = f"picture and recipe hashed again; painted by {row['backdrop']}, seed {row['seed']}"
            hops.append(Hop("ad", value, uri, CHECKED, note))
    return hops


def catalogue_hops(sources: Sources, product_id: int) -> tuple[str, list[Hop]]:
    """The product's group and split as they stand now, and that group."""
    rows, table = sources.rows_of("catalog/splits", None, product_id)
    if not rows:
        return "", [_without(table, "split", "the product is in no split")]
    group, split = str(rows[-1]["group_id"]), str(rows[-1]["split"])
    frame, _ = sources.table("catalog/splits")
    members = int((frame["group_id"] == group).sum())
    value = f"{split}; group {group} of {members} {'product' if members == 1 else 'products'}"
    return group, [Hop("split", value, table.link, table.state, table.note)]


def delivery_hops(sources: Sources, drop: str, product_id: int, product: Mapping[str, Any]) -> list[Hop]:
    """The product's row, its picture, and the line of the delivery that both came from."""
    _, table = sources.rows_of("catalog/products", drop, product_id)
    shown = ", ".join(
        str(product[name])
        for name in ("gender", "article_type", "base_colour", "product_display_name")
        if product[name]
    )
    return [
        Hop("product", f"{product_id} of drop {drop}: {shown}", table.link, table.state, table.note),
        _picture(product),
        _line(sources, drop, product_id, int(product["line"])),
    ]


def _models(answers: Sequence[Mapping[str, Any]]) -> str:
    """The models behind answers, as what rests on them names them."""
    return ", ".join(sorted({f"{row['model_uri']}@{str(row['model_digest'])[:12]}" for row in answers}))


def _without(table: Hop, hop: str, why: str) -> Hop:
    """A hop that has no row: because its table is missing or broken, or else for this reason."""
    state = BROKEN if table.state == BROKEN else MISSING
    return Hop(hop, link=table.link, state=state, note=table.note if table.state in (MISSING, BROKEN) else why)


def _picture(product: Mapping[str, Any]) -> Hop:
    uri, recorded = str(product["image_uri"] or ""), str(product["image_sha256"] or "")
    try:
        sha256 = hashlib.sha256(stored_bytes(uri)).hexdigest()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        return Hop("picture", recorded[:SHORT], uri, MISSING, f"the delivered picture is not there any more ({why})")
    if sha256 != recorded:
        return Hop("picture", sha256[:SHORT], uri, BROKEN, f"another picture was read: {recorded[:SHORT]}")
    return Hop("picture", sha256[:SHORT], uri, CHECKED, "file hashed again")


def _line(sources: Sources, drop: str, product_id: int, line: int) -> Hop:
    """The delivered row: its line of styles.csv, if it still begins with the product's id."""
    about = materialised(sources.home.instance, "catalog/products", drop) or {}
    file = UPath(sources.home.tables.standing(str(about.get("source", "")))) / str(about.get("table", "styles.csv"))
    address = f"{file}:{line}"
    try:
        lines = stored_bytes(file).split(b"\n")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        return Hop(
            "delivery", f"line {line} of {drop}", address, MISSING, f"the delivery is not there any more ({why})"
        )
    if file.name != "styles.csv":  # a mapping says where the id stands, and a mapping may change
        return Hop("delivery", f"line {line} of {drop}", address, RECORDED, f"row of {file.name}, read by a mapping")
    text = _text(lines, line)
    if not _begins_with(text, product_id):
        return Hop("delivery", text, address, BROKEN, "another row stands on this line now: the delivery was changed")
    return Hop("delivery", text, address, CHECKED, f"line {line} read again")


def _text(lines: Sequence[bytes], line: int) -> str:
    return decode_line(lines[line - 1])[0].strip() if 0 < line <= len(lines) else ""


def _begins_with(text: str, product_id: int) -> bool:
    first = text.partition(",")[0].strip().strip('"').lstrip("\ufeff")
    return first == str(product_id)
