"""The table of all settings in docs/cli.md.

Belongs here: their names, what they are for and their defaults, as Markdown. Not here: the settings (settings.py,
operator_settings.py).
"""

from collections.abc import Mapping

from pydantic_core import PydanticUndefined

from orchestration.runtime.operator_settings import OperatorSettings
from orchestration.runtime.settings import FAMILY_SETTINGS, READ_BY_TRAINING, Settings, variable_of


def manual(family_fields: Mapping[str, str]) -> str:
    """The table of all settings in docs/cli.md."""
    rows = []
    fields = Settings.model_fields
    for name in sorted(fields, key=lambda field: field in OperatorSettings.model_fields):
        field = fields[name]
        if name == FAMILY_SETTINGS:
            continue
        default = "" if field.default in (None, PydanticUndefined) else f"`{field.default}`"
        rows.append(f"| `{variable_of(name)}` | {field.description} | {default} |")
    for name, family in family_fields.items():
        rows.append(f"| `{variable_of(name)}` | YAML with the training settings of {family} |  |")
    rows += [f"| `{variable_of(name)}` | {what} |  |" for name, what in READ_BY_TRAINING.items()]
    return "\n".join(["| setting | what | default |", "|---|---|---|", *rows])
