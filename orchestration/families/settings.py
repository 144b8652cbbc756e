"""Settings with the families' own: which file each family's candidates are trained by.

Belongs here: reading the environment with the names that the declarations give. Not here: every other setting
(orchestration/runtime/settings.py), what a family can be set to (training/).
"""

from typing import Any

from orchestration import families
from orchestration.runtime import settings as environment


def load_settings(**overrides: Any) -> environment.Settings:
    """Settings from the environment, with `overrides` (field names) on top.

    Ports that nobody named are those at which this home's services are found now.

    Raises:
        SelvedgeError: a setting is unknown or its value does not fit; one sentence names it.
    """
    from orchestration.runtime.ports import as_running

    return as_running(environment.read_settings(family_fields(), **overrides))


def family_fields() -> dict[str, str]:
    """Setting, without prefix, to the family whose training settings the file holds."""
    return {family.settings_field: family.name for family in families.FAMILIES}


def check_training_files(settings: environment.Settings) -> None:
    """Every file of training settings that is named, read once before long work.

    Raises:
        SelvedgeError: one cannot be read, or a setting in it is unknown or does not fit; the sentence names it.
    """
    if not settings.family_settings:
        return
    from training.settings import refuse_absent_devices, settings_of_file

    for family in families.FAMILIES:
        file = settings.family_settings.get(family.name)
        if file is not None:
            refuse_absent_devices(settings_of_file(family.settings(), file))


def check_operator_settings(settings: environment.Settings) -> None:
    """Mapping, schedules and alerts, before anything starts: what never fires or cannot be sent would go unnoticed.

    Raises:
        SelvedgeError: the mapping of drops cannot be read or does not fit, a schedule names an unknown family or no
            time, or a secret of an alert cannot be read.
    """
    from catalog.mapping import read_mapping
    from orchestration.families.timetable import timetable
    from orchestration.runtime.alerts import check_channels

    if settings.mapping is not None:
        read_mapping(settings.mapping)
    timetable(settings, families.FAMILIES)
    check_channels(settings)


def manual() -> str:
    """The table of all settings in docs/cli.md."""
    from orchestration.runtime.manual import manual as table

    return table(family_fields())
