"""The page of a pick: three pictures, one of which to publish, or none, and a comment.

Belongs here: the label config, the data of a task, the result of a pick. Not here: the look that all pages share
(labeling/review/label_page.py), which pictures (opening.py).

The pictures are data URIs inside the task, of one size and format: no address, file name or metadata could tell which
the ranker put first.
"""

from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import quoteattr

from catalog.errors import SelvedgeError
from labeling.review.label_page import PICTURE, PICTURE_STYLE, STYLE

SLOTS = ("one", "two", "three")
NONE_OF_THESE = "none"
ANSWERS = ("1", "2", "3", NONE_OF_THESE)  # as a result stores them; the place on the page
QUESTION = "Which of these would you publish?"
GUIDELINES = (
    "<p>Look at the product first: nothing may be wrong with it. Then at the whole picture: would you post it for your "
    "shop as it is? Choose <b>none of these</b> when you would publish none.</p><p>A comment is optional: say in a "
    "few words what should be otherwise, such as <i>too small</i>, <i>softer light</i> or <i>I want leaves on the "
    "ground</i>: rules read it, and it becomes an order for the next picture.</p>"
)
KEYS = "Press 1, 2 or 3, or 0 for none of these, then Enter."
PIXELS = 380
# Three pictures, the answers and the comment stand in one window of 768 pixels. What was typed is sent with the answer,
# so the button that adds it is left out.
PICK_STYLE = """
.sv-picks .sv-question h3 { margin: 0 0 8px !important; font-size: 19px; }
.sv-picks .sv-side { padding: 6px 10px 10px; }
.sv-picks .sv-side h4 { margin: 0 0 4px !important; }
.sv-picks [data-testid=textarea-submit-section] { display: none; }
.sv-picks textarea { height: 36px; min-height: 36px; }
.sv-picks .sv-verdict .lsf-choices { margin-top: 8px; }
.sv-picks .sv-verdict label { padding: 8px 10px; }
.sv-picks .sv-keys h4 { margin: 0 !important; }
"""
CHOICES = (("1", "First", "1"), ("2", "Second", "2"), ("3", "Third", "3"), (NONE_OF_THESE, "None of these", "0"))


def pick_config(requests: int) -> str:
    """Label Studio's XML for picks; the same for every task. requests: of the round, whose count the page shows."""
    choices = "".join(
        f"<Choice value={quoteattr(shown)} alias={quoteattr(stored)} hotkey={quoteattr(key)}/>"
        for stored, shown, key in CHOICES
    )
    pictures = "".join(
        f'<View className="sv-side"><Header value={quoteattr(shown)} size="5"/><Image name="{slot}" value="${slot}" '
        f'width="{PIXELS}px" maxWidth="{PIXELS}px" zoom="false" zoomControl="false"/></View>'
        for slot, (_, shown, _) in zip(SLOTS, CHOICES, strict=False)
    )
    return f"""<View className="sv sv-picks sv-pairs-{requests}">
  <Style>{STYLE + PICTURE_STYLE + PICK_STYLE}</Style>
  <View className="sv-question"><Header value={quoteattr(QUESTION)} size="4"/></View>
  <View className="sv-row">{pictures}</View>
  <View className="sv-vote">
    <View className="sv-verdict">
      <Choices name="choice" toName="one" choice="single-radio" showInline="true" required="true"
        requiredMessage="Press 1, 2, 3 or 0 first.">{choices}</Choices>
    </View>
    <View className="sv-reasons">
      <TextArea name="comment" toName="one" rows="2" maxSubmissions="1" editable="true"
        placeholder="What should be otherwise? (optional)"/>
    </View>
    <View className="sv-keys"><Header value={quoteattr(KEYS)} size="5"/></View>
  </View>
  <View className="sv-guide"><HyperText name="guide" value={quoteattr(GUIDELINES)} inline="true"/></View>
</View>"""


def pick_task(key: str, pictures: Sequence[str]) -> dict[str, str]:
    """The data of one task; a place without a picture shows an empty one.

    Args:
        key: opaque. pictures: data URIs in the order of the page, one to three.

    Raises:
        SelvedgeError: none or too many, or one is an address.
    """
    if not 1 <= len(pictures) <= len(SLOTS):
        raise SelvedgeError(f"task {key} shows {len(pictures)} pictures; a pick has one to {len(SLOTS)}.")
    if not all(picture.startswith(PICTURE) for picture in pictures):
        raise SelvedgeError(f"a picture of task {key} is no data URI; an address would name something.")
    filled = [*pictures, *[_nothing()] * (len(SLOTS) - len(pictures))]
    return {"key": key, **dict(zip(SLOTS, filled, strict=True))}


def pick_result(answer: str, comment: str = "") -> list[dict[str, Any]]:
    """A pick as the page itself would send it; for annotators that are programs.

    Raises:
        SelvedgeError: the answer is none of the page's.
    """
    if answer not in ANSWERS:
        raise SelvedgeError(f"answer {answer!r} is none of {', '.join(ANSWERS)}.")
    result = [{"from_name": "choice", "to_name": "one", "type": "choices", "value": {"choices": [answer]}}]
    if comment:
        words = {"from_name": "comment", "to_name": "one", "type": "textarea", "value": {"text": [comment]}}
        result.append(words)
    return result


def _nothing() -> str:
    from PIL import Image

    from labeling.review.pairs.rendering import PICTURE_SIDE, drawn_uri

    return drawn_uri(Image.new("RGB", (PICTURE_SIDE, PICTURE_SIDE), "white"))
