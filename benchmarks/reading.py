"""Reading a catalogue against a plain pandas + Pillow loop, and how the time grows with the rows.

Belongs here: both readers, timed on the same drawn files, warm in the page cache.

  baseline  pandas.read_csv, then for every row: its JSON, sha256, Pillow open, EXIF transpose, RGB, 256-bit dHash
  ours      read_catalogue: the same outputs, and faults found

The baseline stops at nothing that reading must find (it skips bad rows and believes every file), so it does less.
Few distinct pictures are drawn and repeated with their id appended, so that no two files are equal: drawing 44,000
would take longer than everything else here.

Run: `python -m benchmarks.reading`; `--rows 5000 20000 44000` is the default.
"""

import argparse
import hashlib
import io
import json
import resource
import tempfile
import time
from pathlib import Path


def draw_large_catalogue(folder: Path, rows: int, distinct: int) -> Path:
    """A catalogue of `rows` products made of `distinct` drawn ones."""
    from catalog.drawn import draw_catalogue

    drawn = draw_catalogue(folder / "drawn", products=distinct, seed=11).path
    large = folder / "large"
    for name in ("images", "styles"):
        (large / name).mkdir(parents=True)
    header, *lines = (drawn / "styles.csv").read_text().splitlines()
    written = [header]
    for number in range(rows):
        original, _, rest = lines[number % distinct].partition(",")
        product_id = str(100_000 + number)
        written.append(f"{product_id},{rest}")
        # Bytes after a JPEG's end marker are ignored by every decoder and change its hash.
        image = (drawn / "images" / f"{original}.jpg").read_bytes() + product_id.encode()
        (large / "images" / f"{product_id}.jpg").write_bytes(image)
        details = json.loads((drawn / "styles" / f"{original}.json").read_text())
        details["data"]["id"] = int(product_id)
        (large / "styles" / f"{product_id}.json").write_text(json.dumps(details))
    (large / "styles.csv").write_text("\n".join(written) + "\n")
    return large


def read_plainly(catalogue: Path, rows: int) -> int:
    """The baseline: what one writes in ten minutes."""
    import numpy as np
    import pandas as pd
    from PIL import Image, ImageOps

    styles = pd.read_csv(catalogue / "styles.csv", on_bad_lines="skip", nrows=rows)
    records = []
    for product_id in styles["id"]:
        details = json.loads((catalogue / "styles" / f"{product_id}.json").read_text())["data"]
        content = (catalogue / "images" / f"{product_id}.jpg").read_bytes()
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
        grey = np.asarray(image.convert("L").resize((17, 16)), dtype=np.int16)
        dhash = np.packbits(grey[:, 1:] > grey[:, :-1]).tobytes().hex()
        sha256 = hashlib.sha256(content).hexdigest()
        records.append((sha256, dhash, image.width, image.height, details["brandName"], details["articleAttributes"]))
    return len(records)


def first_rows(catalogue: Path, rows: int) -> Path:
    """The same catalogue with only its first rows in styles.csv."""
    part = catalogue.parent / f"rows{rows}"
    part.mkdir()
    for name in ("images", "styles"):
        (part / name).symlink_to(catalogue / name)
    lines = (catalogue / "styles.csv").read_text().splitlines()
    (part / "styles.csv").write_text("\n".join(lines[: rows + 1]) + "\n")
    return part


def measure(rows: list[int], distinct: int, workers: int, work: Path | None) -> dict[str, object]:
    from catalog.reading import read_catalogue

    figures: dict[str, object] = {"workers": workers, "distinct_pictures": distinct, "rows": {}}
    with tempfile.TemporaryDirectory(dir=work) as temporary:
        large = draw_large_catalogue(Path(temporary), max(rows), distinct)
        read_plainly(large, 200)  # imports, and a first use of every code path
        for number in sorted(rows):
            part = first_rows(large, number)
            started = time.perf_counter()
            read = read_catalogue(part, "bench", workers=workers)
            ours = time.perf_counter() - started
            started = time.perf_counter()
            plainly = read_plainly(part, number)
            baseline = time.perf_counter() - started
            assert read.products.num_rows == plainly == number
            figures["rows"][str(number)] = {  # type: ignore[index]
                "baseline_seconds": baseline,
                "seconds": ours,
                "ratio": baseline / ours,
                "milliseconds_per_row": 1000 * ours / number,
            }
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    figures["peak_mib_of_one_process"] = peak / 1024
    return figures


def describe(figures: dict[str, object]) -> str:
    lines = [
        f"reading, {figures['workers']} workers, drawn pictures at 256 px ({figures['distinct_pictures']} distinct)"
    ]
    by_rows: dict[str, dict[str, float]] = figures["rows"]  # type: ignore[assignment]
    for rows, row in by_rows.items():
        lines.append(
            f"  {int(rows):6,} rows   plain loop {row['baseline_seconds']:6.1f} s   ours {row['seconds']:6.1f} s   "
            f"{row['ratio']:4.1f}x   {row['milliseconds_per_row']:.3f} ms a row"
        )
    lines.append(f"  peak {figures['peak_mib_of_one_process']:.0f} MiB in the largest process")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[5_000, 20_000, 44_000])
    parser.add_argument("--distinct", type=int, default=1_000, help="distinct pictures drawn")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--work", type=Path, default=None, help="where the files are put; about 1.5 GB")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = measure(arguments.rows, min(arguments.distinct, max(arguments.rows)), arguments.workers, arguments.work)
    print(json.dumps(figures) if arguments.json else describe(figures))


if __name__ == "__main__":
    main()
