"""Lines of styles.csv: every line ends as a row or as a rejected one, and the right fields come out."""

import csv
import io
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from catalog.errors import SelvedgeError
from catalog.quarantine import Reason
from catalog.rows import clean_values, parse_images, parse_styles, split_row
from tests.catalog.shops import HEADER

ROW = "1,Men,Apparel,Topwear,Shirts,Blue,Fall,2011,Casual,"


def parse(*lines: bytes | str) -> object:
    content = b"\n".join([HEADER.encode(), *(line.encode() if isinstance(line, str) else line for line in lines)])
    return parse_styles(content, "styles.csv")


@pytest.mark.parametrize(
    ("line", "name", "recovered"),
    [
        (ROW + "Plain Shirt", "Plain Shirt", False),
        (ROW + "Tie, Cufflink and Square", "Tie, Cufflink and Square", True),
        (ROW + "Soft, Light, Warm", "Soft, Light, Warm", True),
        (ROW + '"Tie, Cufflink"', "Tie, Cufflink", False),
        (ROW + '"Say ""hello"" twice"', 'Say "hello" twice', False),
        (ROW + 'A "Cool, Dude" Shirt', 'A "Cool, Dude" Shirt', True),
        (ROW + '"Never closed, alas', '"Never closed, alas', True),
        ('"1",Men,Apparel,Topwear,Shirts,Blue,Fall,2011,Casual,One, Two', "One, Two", True),
        (ROW + 'Screen 17" wide', 'Screen 17" wide', False),
    ],
)
def test_names_with_commas_and_quotes(line: str, name: str, recovered: bool) -> None:
    values, was_recovered = split_row(line)
    assert (values[0], len(values), values[-1], was_recovered) == ("1", 10, name, recovered)


def test_public_rows_with_unquoted_commas_are_recovered() -> None:
    line = "3413,Men,Apparel,Topwear,Tshirts,White,Summer,2011,Casual,Maker Men's Yes, it's me, and only me Tee"
    parsed = parse(line)
    assert [row.product_id for row in parsed.rows] == [3413]
    assert parsed.rows[0].values[-1] == "Maker Men's Yes, it's me, and only me Tee"
    assert parsed.recovered == 1


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("../38", Reason.PATH_LIKE_ID),
        ("38/../../etc/passwd", Reason.PATH_LIKE_ID),
        ("..\\38", Reason.PATH_LIKE_ID),
        ("%2e%2e%2f38", Reason.PATH_LIKE_ID),
        ("38\0", Reason.PATH_LIKE_ID),
        ("38a", Reason.BAD_ID),
        ("", Reason.BAD_ID),
        ("-38", Reason.BAD_ID),
        ("38.5", Reason.BAD_ID),
        ("1.501", Reason.BAD_ID),
        ("12,34", Reason.BAD_ID),
        ("SKU38", Reason.BAD_ID),
        ("٣٨", Reason.BAD_ID),
        ("1e3", Reason.BAD_ID),
        ("9" * 40, Reason.BAD_ID),
    ],
)
def test_ids_that_are_no_ids(written: str, reason: Reason) -> None:
    line = ROW.replace("1,", f'"{written}",' if "," in written else f"{written},", 1) + "Name"
    parsed = parse(line)
    assert [rejection.reason for rejection in parsed.rejected] == [reason]
    assert parsed.rejected[0].raw == line.encode()
    assert "looks like a path" in parsed.rejected[0].detail or "is not a whole number of 1 to 18 digits" in (
        parsed.rejected[0].detail
    )
    assert not parsed.rows


def test_the_first_of_two_equal_ids_is_kept() -> None:
    parsed = parse(ROW + "First", ROW.replace("1,", "2,", 1) + "Other", ROW + "Second")
    assert [(row.product_id, row.values[-1]) for row in parsed.rows] == [(1, "First"), (2, "Other")]
    assert [(rejection.line, rejection.reason) for rejection in parsed.rejected] == [(4, Reason.DUPLICATE_ID)]
    assert "line 2" in parsed.rejected[0].detail


def test_bytes_that_are_not_utf8_are_read_and_kept() -> None:
    parsed = parse(ROW.encode() + b"Caf\xe9 Edition", b"9,too\xffshort")
    assert parsed.rows[0].values[-1] == "Café Edition"
    assert parsed.rejected[0].raw == b"9,too\xffshort"
    assert parsed.not_utf8 == 2


def test_windows_line_ends_blank_lines_and_byte_order_mark() -> None:
    content = b"\xef\xbb\xbf" + HEADER.encode() + b"\r\n\r\n" + ROW.encode() + b"Name\r\n   \r\n"
    parsed = parse_styles(content, "styles.csv")
    assert parsed.lines == 1
    assert parsed.rows[0].values[-1] == "Name"
    assert parsed.rows[0].line == 3


def test_missing_values_and_years() -> None:
    missing: dict[str, Counter[str]] = {}
    lines = [
        "1,Men,Apparel,Topwear,Shirts,NA,,2011.0,NA,A & B",
        "2,Men,Apparel,Topwear,Shirts,Blue,Fall,soon,Casual,A &amp; B",
        "3,Men,Apparel,Topwear,Shirts,Blue,Fall,,Casual,NA",
    ]
    rows = [clean_values(row, missing) for row in parse(*lines).rows]
    assert [row[6] for row in rows] == [2011, None, None]
    assert [row[4] for row in rows] == [None, "Blue", "Blue"]
    assert [row[8] for row in rows] == ["A & B", "A & B", None]
    assert {column: dict(counts) for column, counts in missing.items()} == {
        "baseColour": {"NA": 1},
        "season": {"blank": 1},
        "usage": {"NA": 1},
        "year": {"unreadable": 1, "blank": 1},
        "productDisplayName": {"NA": 1},
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "styles.csv is empty"),
        (b"\n \r\n", "styles.csv is empty"),
        (b"\n1,2,3\n", "line 2 is no header"),
        (HEADER.replace("usage,", "").encode() + b"\n1\n", "lacks the column usage"),
        (HEADER.replace("id,gender", "id,id,gender").encode() + b"\n1\n", "the column id twice"),
        (b"PK\x03\x04" + HEADER.encode(), "an Excel workbook or a zip archive"),
        (b"<!DOCTYPE html><html>", "a page of HTML"),
        (b"PAR1\x15\x04", "a Parquet file"),
        (HEADER.encode() + b"\n\n  \n", "no rows"),
    ],
)
def test_files_without_a_catalogue_say_so_in_one_sentence(content: bytes, said: str) -> None:
    with pytest.raises(SelvedgeError, match=said) as caught:
        parse_styles(content, "styles.csv")
    assert "\n" not in str(caught.value)


def test_images_declared_undefined() -> None:
    content = b'filename,link\n1.jpg,http://a/1.jpg\n2.jpg,undefined\n"3.jpg","undefined"\n4.jpg, undefined \nbroken\n'
    assert parse_images(content) == {"2.jpg", "3.jpg", "4.jpg"}


@given(st.lists(st.binary(max_size=120).filter(lambda raw: b"\n" not in raw), max_size=30))
def test_whatever_the_bytes_no_line_is_lost(lines: list[bytes]) -> None:
    content = b"\n".join([HEADER.encode(), b"1,a,b,c,d,e,f,2011,g,h", *lines])
    parsed = parse_styles(content, "styles.csv")
    data_lines = [(number, raw) for number, raw in enumerate(content.split(b"\n")[1:], start=2) if raw.strip()]
    kept = {row.line: row.raw for row in parsed.rows} | {rejection.line: rejection.raw for rejection in parsed.rejected}
    assert kept == dict(data_lines)
    assert parsed.lines == len(parsed.rows) + len(parsed.rejected) == len(data_lines)


@given(st.text(st.characters(exclude_characters='\n\r",', exclude_categories=["Cs"]), max_size=30), st.integers(0, 3))
def test_a_name_with_any_commas_comes_back_whole(name: str, commas: int) -> None:
    whole = ", ".join([f"x{name.strip()}x"] * (commas + 1))
    assert split_row(ROW + whole)[0][-1] == whole


NAMES = ["Oak Row Shirt", "Fen Lodge Tee", "Hill & Vale Vest"]
PLAIN = [["id", *HEADER.split(",")[1:]], *([str(n), *ROW.split(",")[1:-1], name] for n, name in enumerate(NAMES, 1))]


def saved(separator: str = ",", end: str = "\n") -> str:
    return "".join(separator.join(row) + end for row in PLAIN)


@pytest.mark.parametrize(
    "content",
    [
        saved("\t", "\r\n").encode("utf-16"),
        saved().encode("utf-16-be"),
        saved().encode("utf-32"),
        saved("\t").encode("utf-32-le"),
        saved().encode("utf-32-be"),
        saved().replace("\n", "\r").replace("\r", "\n", 1).encode(),
        saved().replace("\n", "\r\n").replace("\r\n2", "\r2").encode(),
        b"\xff\xfe" + saved(";").encode("utf-16-le"),
        saved(";").encode(),
        saved("|").encode(),
        saved(end="\r").encode(),
        b"\r\n \n\n" + saved().encode(),
        saved().replace(HEADER, HEADER.upper()).encode(),
        saved().replace(HEADER, HEADER.replace("masterCategory", "Master Category").replace("N", "_N")).encode(),
        b"sep=;\r\n" + saved(";", "\r\n").encode(),
        b"\xef\xbb\xbfsep=,\n" + saved().encode(),
        saved(end=",,,\r\n").encode(),
        "".join(",".join([row[-1], *row[:-1]]) + "\n" for row in PLAIN).encode(),
        "".join(",".join([str(n), *row, "5"]) + "\n" for n, row in enumerate(PLAIN))
        .replace("0,id", "index,id")
        .encode(),
        saved().replace(HEADER, HEADER + ",note").encode(),
        "".join(",".join(f'"{cell}"' for cell in row) + "\r\n" for row in PLAIN).encode(),
    ],
)
def test_whichever_program_saved_it_the_same_rows_are_read(content: bytes) -> None:
    parsed = parse_styles(content, "styles.csv")
    assert [(row.product_id, row.values[0], row.values[-1]) for row in parsed.rows] == [
        (n, "Men", name) for n, name in enumerate(NAMES, 1)
    ]
    assert (parsed.recovered, parsed.not_utf8, parsed.rejected) == (0, 0, [])


def test_a_quoted_line_break_is_part_of_its_row_and_a_stray_quote_is_not() -> None:
    second = ROW.replace("1,", "2,", 1)
    parsed = parse(
        ROW + '"Meadow\r',
        "",
        'T-shirt, ""second"" line"',
        second + '"Never closed',
        ROW.replace("1", "3") + 'Screen 17"',
    )
    assert [(row.line, row.product_id, row.values[-1], row.recovered) for row in parsed.rows] == [
        (2, 1, 'Meadow\r\n\nT-shirt, "second" line', False),
        (5, 2, '"Never closed', True),
        (6, 3, 'Screen 17"', False),
    ]
    assert parsed.lines == 3 and parsed.rows[0].raw.count(b"\n") == 2
    assert clean_values(parsed.rows[0], {})[-1] == 'Meadow T-shirt, "second" line'


@pytest.mark.parametrize(
    ("written", "product_id"),
    [
        ("501.0", 501),
        ("501.", 501),
        ("00501", 501),
        ('"1,501"', 1501),
        ('"1 501 203"', 1501203),
        ("1'501", 1501),
        ('"501,00"', 501),
    ],
)
def test_ids_in_another_form_are_read_where_they_are_certain(written: str, product_id: int) -> None:
    parsed = parse(ROW.replace("1,", f"{written},", 1) + "Name")
    assert ([row.product_id for row in parsed.rows], parsed.other_ids) == ([product_id], 1)
    assert parsed.examples["other_ids"] == (2, written.strip('"'), str(product_id))


def test_a_carriage_return_within_a_name_makes_no_row_of_its_rest() -> None:
    parsed = parse(ROW + '"Oak\rRow, Shirt"', ROW.replace("1,", "2,", 1) + "Fen\rTee\r")
    assert [clean_values(row, {})[-1] for row in parsed.rows] == ["Oak Row, Shirt", "Fen Tee"]
    assert parsed.lines == 2 and not parsed.rejected


def test_ids_that_would_be_read_wrongly_are_rejected_with_what_was_meant() -> None:
    parsed = parse("1,501,Men,Apparel,Topwear,Shirts,Blue,Fall,2011,Casual,Name", ROW + "One", "01" + ROW[1:] + "Again")
    assert [(r.reason, r.line) for r in parsed.rejected] == [(Reason.BAD_ID, 2), (Reason.DUPLICATE_ID, 4)]
    assert "'1,501' has a thousands separator" in parsed.rejected[0].detail


def test_a_line_with_more_columns_than_can_be_told_apart_is_rejected() -> None:
    parsed = parse_styles(
        b"productDisplayName,id,gender,masterCategory,subCategory,articleType,baseColour,season,year,usage\n"
        b"Soft, warm,1,Men,Apparel,Topwear,Shirts,Blue,Fall,2011,Casual\n",
        "styles.csv",
    )
    assert [r.reason for r in parsed.rejected] == [Reason.BAD_ROW] and "quotes" in parsed.rejected[0].detail


@pytest.mark.parametrize(
    "word", ["null", "NULL", "None", "n/a", "N.A.", "nan", "<NA>", "undefined", "-", "--", "(unknown)", "\\N", "?"]
)
def test_a_missing_category_written_as_a_word_is_missing(word: str) -> None:
    missing: dict[str, Counter[str]] = {}
    row = parse(f"1,Men,Apparel,Topwear,{word},{word},{word},2011,{word},NA Jersey").rows[0]
    assert clean_values(row, missing)[3:6] == [None] * 3 and clean_values(row, missing)[-1] == "NA Jersey"
    assert missing["articleType"][word] == 2


def test_a_name_is_missing_only_where_a_program_writes_so() -> None:
    names = ["Unknown", "Nil", "Empty", "None", "null"]
    assert [clean_values(parse(ROW + name).rows[0], {})[-1] for name in names] == [
        "Unknown",
        "Nil",
        "Empty",
        None,
        None,
    ]


def test_rows_in_another_encoding_are_counted_with_an_example() -> None:
    parsed = parse(ROW.encode() + "Рубашка".encode("cp1251"), ROW.replace("1", "2").encode() + "CafÃ© Tee".encode())
    assert (parsed.not_utf8, parsed.encoded_twice) == (1, 1)
    assert parsed.examples["encoded_twice"][2].endswith("Café Tee") and parsed.examples["not_utf8"][0] == 2


@pytest.mark.parametrize(
    "content",
    [
        b"filename;link\n1.jpg;http://a/1.jpg\n2.jpg;undefined\n",
        b"link,filename\nhttp://a/1,2.jpg,1.jpg\nundefined,2.jpg\n",
        b"filename,link\n1,http://a\n2.jpg,null,,\n",
        "Filename\tLink\r\n2.jpg\tundefined\r\n".encode("utf-16"),
        b'sep=;\n"filename";"link"\n"2.jpg";"undefined"\n',
    ],
)
def test_images_csv_is_read_in_whatever_form(content: bytes) -> None:
    assert parse_images(content) == {"2.jpg"}


@pytest.mark.parametrize("content", [b"<html></html>", b"1.jpg,undefined\n", b"filename\n1.jpg\n"])
def test_an_images_csv_that_says_something_else_is_refused(content: bytes) -> None:
    with pytest.raises(SelvedgeError, match=r"^images\.csv "):
        parse_images(content)


CELLS = st.text(st.sampled_from('ab,;"\n\r \t7'), max_size=12)


@given(st.lists(CELLS, min_size=1, max_size=8))
@example(["\r \n"])
@example(["\n\r \n"])
def test_whatever_is_quoted_by_the_standard_comes_back_row_by_row(names: list[str]) -> None:
    sink = io.StringIO(newline="")
    writer = csv.writer(sink, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows([[str(n), *ROW.split(",")[1:-1], f"x{name}x"] for n, name in enumerate(names)])
    parsed = parse_styles(f"{HEADER}\n{sink.getvalue()}".encode(), "styles.csv")
    assert [row.values[-1] for row in parsed.rows] == [f"x{name}x" for name in names]


@given(st.lists(st.text(st.sampled_from('a1,"\n\r;'), max_size=40), max_size=12))
def test_no_line_is_lost_or_read_twice_whatever_the_quotes(pieces: list[str]) -> None:
    content = "\n".join([HEADER, ROW + "Name", *pieces]).encode()
    parsed = parse_styles(content, "styles.csv")
    raws = {row.line: row.raw for row in parsed.rows} | {r.line: r.raw for r in parsed.rejected}
    assert parsed.lines == len(parsed.rows) + len(parsed.rejected) == len(raws)
    lines = content.split(b"\n")
    taken = [line + offset for line, raw in raws.items() for offset in range(raw.count(b"\n") + 1)]
    assert len(taken) == len(set(taken))
    assert all(b"\n".join(lines[line - 1 : line + raw.count(b"\n")]) == raw for line, raw in raws.items())
    assert {n for n, line in enumerate(lines, 1) if n > 1 and line.strip()} <= set(taken)
