"""`selvedge catalog`: draw a catalogue, read one, look at one.

Belongs here: options, checks of what was typed, results. Not here: the work (catalog/).
"""

import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from catalog.places import check_output_file
from orchestration.cli.results import JsonFlag, emit
from orchestration.cli.terminal import reporting, say
from orchestration.runtime.folders import new_folder

app = typer.Typer(no_args_is_help=True)


@app.command("draw")
def draw(
    out: Annotated[Path, typer.Argument(help="Folder to write; it must not hold anything yet.")],
    products: Annotated[int, typer.Option(help="How many products.")] = 2400,
    seed: Annotated[int, typer.Option(help="The same seed draws the same catalogue.")] = 7,
    style: Annotated[str, typer.Option(help="Drawing style: studio, or atelier, which is kept for tests.")] = "studio",
    faults: Annotated[bool, typer.Option("--faults", help="Plant every fault that reading must find.")] = False,
    no_label_noise: Annotated[bool, typer.Option("--no-label-noise", help="Plant no wrong labels.")] = False,
    size: Annotated[int, typer.Option(help="Side of a picture, pixels.")] = 256,
    first_id: Annotated[int, typer.Option(help="Least product id.")] = 10001,
    article: Annotated[
        list[str] | None, typer.Option(help="Draw this article type only, like Jeans; may be given again.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Draw a catalogue of garments whose truth is known, in the Kaggle layout."""
    from catalog.drawn import draw_catalogue

    began = time.monotonic()
    noise = {"label_noise": 0.0} if no_label_noise else {}
    shape = {"style": style, "size": size, "first_id": first_id, "faults": faults, "articles": article or ()}
    with new_folder(out) as part, reporting() as reporter:
        drawn = draw_catalogue(part, products, seed, progress=reporter.progress, **shape, **noise)  # type: ignore[arg-type]
    emit(
        "catalog draw",
        as_json,
        {
            "path": str(out.expanduser().resolve()),
            "products": drawn.products,
            "rows": drawn.rows,
            "seed": drawn.seed,
            "style": drawn.style,
            "version": drawn.version,
            "faults": dict(Counter(reason for _, reason in drawn.planted_faults)),
            "seconds": time.monotonic() - began,
        },
    )


@app.command("read")
def read(
    source: Annotated[str, typer.Argument(metavar="SRC", help="Folder or s3:// address in the Kaggle layout.")],
    out: Annotated[Path, typer.Option(help="Catalogue directory to write.")],
    drop: Annotated[str, typer.Option(help="Name of this delivery.")] = "drop-1",
    mapping: Annotated[
        Path | None, typer.Option(help="YAML that says which columns are what, for another layout.")
    ] = None,
    question_set: Annotated[str | None, typer.Option(help="details or columns; chosen by the data otherwise.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Read a catalogue into products, quarantine, images, splits and question and answer pairs."""
    from catalog.workspace import read_into

    began = time.monotonic()
    with reporting() as reporter:
        summary = read_into(source, drop, out, question_set=question_set, progress=reporter.progress, mapping=mapping)
    for sentence in summary["warnings"]:
        say(sentence)
    reading, pairs, splits = summary["reading"], summary["qa_pairs"], summary["splits"]
    emit(
        "catalog read",
        as_json,
        {
            "path": str(out.expanduser().resolve()),
            "drop": drop,
            "rows": reading["rows"],
            "products": reading["products"],
            "quarantine": reading["quarantined"],
            "reasons": reading["quarantine"],
            "recovered": reading["recovered"],
            "not_utf8": reading["not_utf8"],
            "groups": sum(splits["groups"].values()),
            "splits": splits["products"],
            "leaks": summary["leaks"],
            "question_set": pairs["question_set"],
            "qa_pairs": pairs["pairs"],
            "unmapped": reading["unmapped"] | pairs["unmapped"],
            "warnings": summary["warnings"],
            "seconds": time.monotonic() - began,
        },
    )


@app.command("sheet")
def sheet(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="Catalogue directory, or Kaggle layout.")],
    out: Annotated[Path, typer.Option(help="PNG file to write.")] = Path("sheet.png"),
    columns: Annotated[int, typer.Option(min=1, max=40, help="Pictures across.")] = 9,
    rows: Annotated[int, typer.Option(min=1, max=40, help="Pictures down.")] = 8,
    size: Annotated[int, typer.Option(min=32, max=512, help="Side of a picture, pixels.")] = 160,
    as_json: JsonFlag = False,
) -> None:
    """Make a contact sheet: one picture with many products, evenly over the article types."""
    from catalog.files import png_bytes, publish_bytes
    from catalog.sheet import catalogue_sheet

    check_output_file(out.expanduser())
    image, shown = catalogue_sheet(source, columns=columns, rows=rows, size=size)
    publish_bytes(png_bytes(image), out)
    emit(
        "catalog sheet",
        as_json,
        {"path": str(out.expanduser().resolve()), "products": shown, "width": image.width, "height": image.height},
    )
