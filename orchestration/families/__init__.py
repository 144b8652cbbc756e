"""The families of models: each is a folder here, and one entry in `FAMILIES`.

Belongs here: the list, which graph, command line, report, backfill and settings read, and finding a family by its name.
Not here: a declaration (a family's folder), its types (contract.py).
"""

import difflib

from catalog.errors import SelvedgeError
from orchestration.families.ad_ranker.declaration import AD_RANKER
from orchestration.families.blip2_attributes.declaration import BLIP2_ATTRIBUTES
from orchestration.families.contract import Family, families_by_name
from orchestration.families.garment_segmenter.declaration import GARMENT_SEGMENTER
from orchestration.families.restgan.declaration import RESTGAN

FAMILIES: tuple[Family, ...] = (BLIP2_ATTRIBUTES, RESTGAN, AD_RANKER, GARMENT_SEGMENTER)


def find_family(name: str) -> Family:
    """The family of this name.

    Raises:
        SelvedgeError: there is none.
    """
    declared = families_by_name(FAMILIES)
    if name not in declared:
        close = difflib.get_close_matches(name, declared, n=1)
        remedy = f"did you mean {close[0]}?" if close else f"the families are {', '.join(declared)}."
        raise SelvedgeError(f"family {name!r} is unknown; {remedy}")
    return declared[name]
