"""What each family does in `selvedge train`, `selvedge evaluate` and `selvedge review open`, one file a family.

Not here: options, configuration files and printing, which all families share (model_commands.py, review_commands.py).
"""

from collections.abc import Mapping

from orchestration.cli.families import BLIP2_ATTRIBUTES, RESTGAN
from orchestration.families.blip2_attributes import by_hand as blip2_attributes
from orchestration.families.by_hand import ByHand
from orchestration.families.restgan import by_hand as restgan

BY_HAND: Mapping[str, ByHand] = {BLIP2_ATTRIBUTES: blip2_attributes.BY_HAND, RESTGAN: restgan.BY_HAND}
