"""The families a person may name in a command, without importing what they need.

Belongs here: their names and the one sentence for a wrong one. Not here: their declarations (orchestration/families/);
a test holds the two lists together.
"""

import difflib
from typing import Annotated

import typer

from catalog.errors import SelvedgeError

BLIP2_ATTRIBUTES = "blip2-attributes"
RESTGAN = "restgan"
FAMILIES = (BLIP2_ATTRIBUTES, RESTGAN)

FamilyArgument = Annotated[str, typer.Argument(metavar="FAMILY", help="Family of models: blip2-attributes or restgan.")]


def known_family(name: str) -> str:
    """The name itself.

    Raises:
        SelvedgeError: there is no such family.
    """
    if name not in FAMILIES:
        close = difflib.get_close_matches(name, FAMILIES, n=1)
        remedy = f"did you mean {close[0]}?" if close else f"the families are {', '.join(FAMILIES)}."
        raise SelvedgeError(f"family {name!r} is unknown; {remedy}")
    return name
