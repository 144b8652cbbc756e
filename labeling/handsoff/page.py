"""The page on which people draw: one picture, a brush and a polygon for each class.

Belongs here: the label config, the instructions, the data of a task. Not here: what was drawn (regions.py), progress
and thanks (labeling/review/annotator_page.js, which the proxy puts into the page).

A picture is a data URI inside its task: no name and no address of it leaves the home, and the server needs no file.
"""

import colorsys
from collections.abc import Sequence
from html import escape
from xml.sax.saxutils import quoteattr

from catalog.errors import SelvedgeError
from catalog.files import data_uri
from training.handsoff.labels import kinds_of

IMAGE, BRUSH, POLYGON = "picture", "brush", "polygon"
# By class, none that a tool of Label Studio's has; further classes get what Label Studio gives them.
BRUSH_KEYS, POLYGON_KEYS = "0123456789qwrty", "zasdfgjklxcnmio"
GOLDEN = 0.618  # of the colour wheel between two classes
BACKGROUND = "#9a9a9a"
# No ">" in it: Label Studio escapes one.
STYLE = """
.sv { display: flex; gap: 14px; align-items: flex-start; color: var(--color-neutral-content); }
.sv .sv-tools { flex: 0 0 150px; max-height: calc(100vh - 120px); overflow-y: auto; }
.sv .sv-picture { flex: 1 1 0; min-width: 0; }
.sv h4 { margin: 8px 0 0 !important; font-size: 14px; }
.sv .lsf-labels { margin: 4px 0; flex-direction: column; align-items: stretch; gap: 4px; }
.sv .lsf-label { margin: 0; }
.sv .sv-keys p { margin: 6px 0; font-size: 12px; line-height: 1.35; color: var(--color-neutral-content-subtler); }
"""
KEYS = (
    "<p><b>Number</b>: paint.</p><p><b>Letter</b>: click corners, the first again to close.</p>"
    "<p><b>U</b> ends a region, <b>E</b> erases, <b>[</b> and <b>]</b> size the brush, <b>H</b> moves the picture, "
    "<b>Ctrl Z</b> undoes.</p><p><b>Enter</b> submits.</p>"
)


def class_names(text: str) -> tuple[str, ...]:
    """Classes from a line with commas; the first is the background.

    Raises:
        SelvedgeError: fewer than two or too many, one twice, or a name that a page cannot show.
    """
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if not name or not name.isprintable() or name.startswith("$"):
            raise SelvedgeError(f"--classes: {name!r} is no name of a class; give words with commas between them.")
    return kinds_of({"classes": names}, "--classes").classes


def label_config(classes: Sequence[str]) -> str:
    """Label Studio's XML for these classes; the background can be drawn, too, to take away what was too much."""
    tools = "".join(
        f'<Header value="{title}" size="5"/><{tag} name="{name}" toName="{IMAGE}">{_labels(classes, keys)}</{tag}>'
        for title, tag, name, keys in (
            ("Brush", "BrushLabels", BRUSH, BRUSH_KEYS),
            ("Polygon", "PolygonLabels", POLYGON, POLYGON_KEYS),
        )
    )
    return f"""<View className="sv sv-drawing">
  <Style>{STYLE}</Style>
  <View className="sv-tools">{tools}
    <View className="sv-keys"><HyperText name="keys" value={quoteattr(_left(classes) + KEYS)} inline="true"/></View>
  </View>
  <View className="sv-picture"><Image name="{IMAGE}" value="${IMAGE}" zoom="true" zoomControl="true"/></View>
</View>"""


def instructions(classes: Sequence[str]) -> str:
    """HTML behind the page's button."""
    others = ", ".join(f"<b>{escape(name)}</b>" for name in classes[1:])
    return (
        f"<p>Cover every pixel of {others} with its class.</p>{_left(classes)}<p>What you draw later lies on top of "
        "what was there. An exact edge matters more than a smooth one.</p><p>Skip a picture that you cannot judge.</p>"
    )


def picture_task(key: str, content: bytes) -> dict[str, str]:
    """The data of one task. key: opaque. content: a JPEG."""
    return {"key": key, IMAGE: data_uri(content, "image/jpeg")}


def _left(classes: Sequence[str]) -> str:
    return f"<p>What you leave is <b>{escape(classes[0])}</b>.</p>"


def _labels(classes: Sequence[str], keys: str) -> str:
    labels = []
    for number, name in [*[*enumerate(classes)][1:], (0, classes[0])]:
        hotkey = f' hotkey="{keys[number]}"' if number < len(keys) else ""
        labels.append(f'<Label value={quoteattr(name)} background="{_colour(number)}"{hotkey}/>')
    return "".join(labels)


def _colour(number: int) -> str:
    """Of a class; neighbours differ, however many there are."""
    if number == 0:
        return BACKGROUND
    red, green, blue = colorsys.hls_to_rgb(number * GOLDEN % 1, 0.5, 0.85)
    return f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"
