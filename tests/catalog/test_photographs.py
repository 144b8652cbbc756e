"""The real photographs: the same code, and what is known of that catalogue."""

import pytest

from catalog.qa import make_qa_pairs
from catalog.reading import read_catalogue
from catalog.schema import COLUMNS, load_schema
from catalog.splits import assign_splits, leaks
from tests.photographs import photographs

pytestmark = pytest.mark.photographs


def test_the_photographs_read_with_their_real_faults() -> None:
    folder = photographs("kaggle-fashion")
    lines = [line for line in (folder / "styles.csv").read_bytes().split(b"\n")[1:] if line.strip()]
    shown = {file.stem for file in (folder / "images").iterdir()}
    without = {line.split(b",")[0].decode() for line in lines} - shown
    read = read_catalogue(folder, "d1")
    assert read.counts["rows"] == len(lines) == read.products.num_rows + read.quarantine.num_rows
    assert read.counts["quarantine"] == {"missing_image": len(without)}
    assert read.counts["recovered"] == sum(line.count(b",") > 9 for line in lines) == 11
    assert read.counts["missing"] == {"usage": {"NA": 5}}

    splits = assign_splits(read.products)
    assert leaks(splits, read.products) == []
    sizes = splits.to_pandas()["group_id"].value_counts()
    assert sizes.max() <= 0.02 * read.products.num_rows  # no chain of links has swallowed the catalogue
    assert (sizes > 1).sum() > 300

    schema = load_schema()
    pairs = make_qa_pairs(read.products, splits, schema, schema.choose_question_set(read.products))
    assert pairs.question_set == COLUMNS
    assert pairs.unmapped == {}  # every spelling of the public catalogue is known
