"""Lines of styles.csv: every line ends as a row or as a rejected one, and the right fields come out."""

from collections import Counter

import pytest
from hypothesis import given
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
        ("38.0", Reason.BAD_ID),
        ("038", Reason.BAD_ID),
        ("٣٨", Reason.BAD_ID),
        ("1e3", Reason.BAD_ID),
        ("9" * 40, Reason.BAD_ID),
    ],
)
def test_ids_that_are_no_ids(written: str, reason: Reason) -> None:
    line = ROW.replace("1,", f"{written},", 1) + "Name"
    parsed = parse(line)
    assert [rejection.reason for rejection in parsed.rejected] == [reason]
    assert parsed.rejected[0].raw == line.encode()
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
        (b"\n1,2,3\n", "styles.csv is empty"),
        (HEADER.replace("usage,", "").encode() + b"\n1\n", "lacks the column usage"),
        (HEADER.replace("id,gender", "gender,id").encode() + b"\n1\n", "another order"),
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
