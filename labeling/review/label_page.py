"""The page an annotator sees: one pair, four keys, nothing that tells the sides apart.

Belongs here: the label config, the data of a task, and the result of a vote. Not here: what a side shows (kinds.py),
talking to the server (label_studio.py), and what a template cannot do (annotator_page.js, which the proxy in front of
Label Studio puts into the page: how many are done, hints, the next pair after a correction). The page works without it.

The sides are HTML and the photo is a data URI, all inside the task: the browser asks for nothing else, so no address,
file name or upload order exists that could tell a side. Every word of the page comes from the kind of pair, so it is
the same for both sides of every task.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from xml.sax.saxutils import quoteattr

from catalog.errors import SelvedgeError

Sides = Literal["html", "picture", "square"]
PICTURE = "data:image/"
PHOTO_PIXELS: Mapping[Sides, int] = {"html": 340, "picture": 160, "square": 340}  # wide ones leave it less
SIDE_PIXELS = 500  # three pictures of 160 beside each other
SQUARE_PIXELS = 390  # as high as fits a window of 768 pixels, above the answers
# As a result stores them, as the page says them, and their keys.
VERDICTS = (
    ("left", "Left is better", "1"),
    ("right", "Right is better", "2"),
    ("tie", "Tie", "3"),
    ("both_bad", "Both bad", "4"),
)
REASON_KEYS = "qwertyuiop"
KEYS = "Press 1, 2, 3 or 4, then Enter."
REASONS_KEYS = "Press 1, 2, 3 or 4, letters for your reasons if you like, then Enter."
# No ">" in it: Label Studio escapes one. The colours are its own, so that its dark theme works. The panels at the side
# are for regions, which a vote does not have. The keys stay in sight where a card is longer than the window.
STYLE = """
.lsf-sidepanels { padding: 0 !important; }
.lsf-sidepanels__wrapper { display: none; }
.sv { max-width: 1240px; margin: 0 auto; color: var(--color-neutral-content); }
.sv-question h3 { text-align: center; font-size: 22px; font-weight: 600; margin: 6px 0 18px !important; }
.sv-row { display: flex; gap: 18px; align-items: stretch; }
.sv-photo { flex: 0 0 340px; }
.sv-photo .lsf-object { margin: 0; }
.sv .lsf-image, .sv .konvajs-content { border-radius: 12px; overflow: hidden; }
.sv .lsf-toolbar { display: none; }
.sv-side { flex: 1 1 0; min-width: 0; background: var(--color-neutral-background); padding: 16px 20px;
  border: 1px solid var(--color-neutral-border); border-radius: 12px; }
.sv-side h4 { margin: 0 0 10px !important; font-size: 12px; font-weight: 600; letter-spacing: .08em;
  text-transform: uppercase; color: var(--color-neutral-content-subtler); }
.sv-side .lsf-object { margin: 0; }
.sv-side p.text { font-size: 17px; line-height: 1.55; margin: 0; }
.sv-side table.card { width: 100%; border-collapse: collapse; font-size: 16px; }
.sv-side table.card th { text-align: left; font-weight: 400; color: var(--color-neutral-content-subtler);
  padding: 5px 12px 5px 0; width: 42%; border-top: 1px solid var(--color-neutral-border-subtler); }
.sv-side table.card td { padding: 5px 0; font-weight: 600; border-top: 1px solid var(--color-neutral-border-subtler); }
.sv-side table.card tr:first-child th, .sv-side table.card tr:first-child td { border-top: 0; }
.sv-verdict .lsf-choices { display: grid; grid-template-columns: repeat(4, 1fr); gap: 12px; margin: 12px 0 0; }
.sv-verdict .lsf-choice, .sv-verdict .lsf-choice__item { margin: 0; padding: 0; width: 100%; }
.sv-verdict label { display: flex; align-items: center; justify-content: center; width: 100%; margin: 0;
  padding: 13px 10px; font-size: 16px; border: 1px solid var(--color-neutral-border); border-radius: 12px;
  background: var(--color-neutral-background); cursor: pointer; }
.sv-verdict label.ant-radio-wrapper-checked { border-color: #4c5fa9; box-shadow: 0 0 0 1px #4c5fa9; }
.sv-verdict .lsf-hint, .sv-reasons .lsf-hint { color: var(--color-neutral-content-subtler); margin-left: 4px; }
.sv-reasons .lsf-choices { display: flex; gap: 18px; justify-content: center; margin: 12px 0 0; }
.sv-vote { position: sticky; bottom: -12px; z-index: 1; padding: 2px 0 14px;
  background: var(--color-neutral-background); }
.sv-keys h4 { margin: 8px 0 0 !important; text-align: center; font-size: 14px; font-weight: 400;
  color: var(--color-neutral-content-subtler); }
.sv-guide { margin-top: 4px; padding: 12px 20px; border-radius: 12px; background: var(--color-neutral-emphasis-subtle);
  color: var(--color-neutral-content); font-size: 14px; }
.sv-guide p { margin: 4px 0; }
@media (max-width: 900px) {
  .sv-row { flex-wrap: wrap; gap: 8px; }
  .sv-photo { flex: 1 0 100% !important; }
  .sv-photo .lsf-object { zoom: .5; }
  .lsf-bottombar { max-width: 100vw; }
  [data-testid=bottombar-undo-button], [data-testid=bottombar-redo-button], [data-testid=bottombar-reset-button],
  [data-testid=bottombar-settings-button] { display: none !important; }
  .sv-side { padding: 8px 10px; }
  .sv-side p.text { font-size: 15px; line-height: 1.4; }
  .sv-side table.card { font-size: 13px; }
  .sv-side table.card th { width: 48%; padding: 3px 6px 3px 0; }
  .sv-side table.card td { padding: 3px 0; }
  .sv-question h3 { font-size: 17px; margin: 2px 0 8px !important; }
  .sv-verdict .lsf-choices { grid-template-columns: repeat(2, 1fr); gap: 6px; margin: 6px 0 0; }
  .sv-verdict label { padding: 9px 6px; font-size: 14px; border-radius: 9px; }
  .sv-reasons .lsf-choices { flex-wrap: wrap; gap: 4px 12px; margin: 6px 0 0; }
  .sv-keys h4 { display: none; }
  .sv .lsf-hint { display: none; }
}
"""
PICTURE_STYLE = """
.sv-side { padding: 10px; }
@media (max-width: 900px) { .sv-side { flex-basis: 100%; } .sv-photo .lsf-object { zoom: .8; } }
"""
WIDE_STYLE = ".sv-photo { flex-basis: 160px; }"


@dataclass(frozen=True)
class Pace:
    """What an annotator is told of a round: how many pairs there are, and how fast is too fast.

    Attributes:
        pairs: in the round. minimum_seconds, words_per_second: a vote is too fast below the larger of the first and of
            reading a pair's words at the second; of the round's plan.
    """

    pairs: int
    minimum_seconds: float
    words_per_second: float

    @property
    def told(self) -> str:
        """The rule as HTML, for the instructions and below every pair."""
        return (
            f"<p>This round has {self.pairs} pairs. Take the time to read both sides: a vote within "
            f"{self.minimum_seconds:g} seconds, or faster than {self.words_per_second:g} words a second, is too fast "
            "to have read them. The first such vote is a warning; whoever goes on like that is left out.</p>"
        )

    @property
    def style_class(self) -> str:
        """The same for annotator_page.js, which reads it off the page."""
        return (
            f"sv-pairs-{self.pairs} sv-least-{round(1000 * self.minimum_seconds)} "
            f"sv-words-{round(10 * self.words_per_second)}"
        )


def label_config(
    question: str, guidelines: str, reasons: Sequence[str] = (), sides: Sides = "html", pace: Pace | None = None
) -> str:
    """Label Studio's XML for pairs of one kind.

    Args:
        question: one sentence over the pair. guidelines: HTML, the same for every pair.
        reasons: optional tags, at most ten, each with a letter key.
        sides: whether a side is HTML, a wide picture or a square one. pace: told below the guidelines.

    Raises:
        SelvedgeError: no question, a reason twice, or too many of them.
    """
    if not question.strip():
        raise SelvedgeError("a page without a question asks nothing; give one sentence.")
    if len(set(reasons)) != len(reasons) or len(reasons) > len(REASON_KEYS):
        raise SelvedgeError(f"reasons must differ and be at most {len(REASON_KEYS)}; there are {len(reasons)}.")
    verdicts = "".join(
        f"<Choice value={quoteattr(shown)} alias={quoteattr(stored)} hotkey={quoteattr(key)}/>"
        for stored, shown, key in VERDICTS
    )
    tags = "".join(
        f"<Choice value={quoteattr(reason)} hotkey={quoteattr(key)}/>"
        for reason, key in zip(reasons, REASON_KEYS, strict=False)
    )
    why = f'<Choices name="reasons" toName="left" choice="multiple" showInline="true">{tags}</Choices>' if tags else ""
    guidelines += pace.told if pace else ""
    guide = f'<HyperText name="guide" value={quoteattr(guidelines)} inline="true"/>' if guidelines.strip() else ""
    photo = PHOTO_PIXELS[sides]
    style = STYLE + {"html": "", "picture": PICTURE_STYLE + WIDE_STYLE, "square": PICTURE_STYLE}[sides]
    classes = f"sv {pace.style_class}" if pace else "sv"
    return f"""<View className="{classes}">
  <Style>{style}</Style>
  <View className="sv-question"><Header value={quoteattr(question.strip())} size="4"/></View>
  <View className="sv-row">
    <View className="sv-photo">{_picture("photo", photo)}</View>
    <View className="sv-side"><Header value="Left" size="5"/>{_side("left", sides)}</View>
    <View className="sv-side"><Header value="Right" size="5"/>{_side("right", sides)}</View>
  </View>
  <View className="sv-vote">
    <View className="sv-verdict">
      <Choices name="choice" toName="left" choice="single-radio" showInline="true" required="true"
        requiredMessage="Press 1, 2, 3 or 4 first.">{verdicts}</Choices>
    </View>
    <View className="sv-reasons">{why}</View>
    <View className="sv-keys"><Header value={quoteattr(REASONS_KEYS if tags else KEYS)} size="5"/></View>
  </View>
  <View className="sv-guide">{guide}</View>
</View>"""


def _side(name: str, sides: Sides) -> str:
    if sides == "html":
        return f'<HyperText name="{name}" value="${name}" inline="true"/>'
    return _picture(name, SQUARE_PIXELS if sides == "square" else SIDE_PIXELS)


def _picture(name: str, pixels: int) -> str:
    # HyperText would be simpler, but the server's sanitiser takes a data URI out of an <img>.
    width = f'width="{pixels}px" maxWidth="{pixels}px"'
    return f'<Image name="{name}" value="${name}" {width} zoom="false" zoomControl="false"/>'


def pair_task(key: str, photo_uri: str, left: str, right: str) -> dict[str, str]:
    """The data of one task.

    Args:
        key: opaque. photo_uri: a data: URI, see rendering.picture_uri. left, right: escaped HTML, or data: URIs too.

    Raises:
        SelvedgeError: the photo is an address, or only one side is a picture.
    """
    pictures = [side.startswith(PICTURE) for side in (left, right)]
    if not photo_uri.startswith(PICTURE):
        raise SelvedgeError(f"the photo of task {key} is no data URI; an address would name something.")
    if pictures[0] != pictures[1]:
        raise SelvedgeError(f"task {key} compares a picture with a text; both sides must be of one kind.")
    return {"key": key, "photo": photo_uri, "left": left, "right": right}


def ballot_result(choice: str, reasons: Sequence[str] = ()) -> list[dict[str, Any]]:
    """A vote as the page itself would send it; for annotators that are programs.

    Raises:
        SelvedgeError: the choice is none of the page's.
    """
    choices = [stored for stored, _, _ in VERDICTS]
    if choice not in choices:
        raise SelvedgeError(f"choice {choice!r} is none of {', '.join(choices)}.")
    result = [{"from_name": "choice", "to_name": "left", "type": "choices", "value": {"choices": [choice]}}]
    if reasons:
        tags = {"from_name": "reasons", "to_name": "left", "type": "choices", "value": {"choices": list(reasons)}}
        result.append(tags)
    return result
