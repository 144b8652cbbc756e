"""Self-contained HTML pages: pictures that travel inside them, the house style, numbers as people write them.

Belongs here: what the report of the catalogue and the report of a round share. Not here: either page's contents.
"""

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from catalog.files import data_uri, jpeg_bytes

if TYPE_CHECKING:
    from jinja2 import Environment

STYLE = Path(__file__).with_name("page.css")


@dataclass(frozen=True)
class Picture:
    """A picture that goes into the page itself."""

    content: bytes
    kind: str  # image/jpeg or image/png
    label: str


def small(content: bytes, side: int, label: str) -> Picture:
    """A picture file, made small, as a JPEG."""
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return Picture(jpeg_bytes(picture, 84), "image/jpeg", label)


def page_environment(*folders: Path) -> "Environment":
    """Templates of folders, the first that has one gives it: escaped, strict about missing values, with the filters
    that every page uses."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data_uri"] = lambda picture: data_uri(picture.content, picture.kind)
    environment.filters["sentence"] = sentence
    return environment


def powers(text: str) -> str:
    """Large numbers as people write them: 3.4 × 10⁷ for 3.42e+07."""
    digits = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

    def written(match: re.Match[str]) -> str:
        return f"{float(match[1]):.1f} × 10{str(int(match[2])).translate(digits)}"

    return re.sub(r"(\d(?:\.\d+)?)e\+(\d+)", written, text)


def sentence(text: str) -> str:
    """A reason as a sentence of the page: a capital, and numbers as people write them."""
    return powers(text[:1].upper() + text[1:])
