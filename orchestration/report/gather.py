"""Everything the report shows, gathered from a home.

Belongs here: the contents of one report, and which module gathers which part of them. Not here: the parts
(catalogue.py, family.py and the families' own sections, products.py, lineage.py), HTML (render.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import dagster as dg

from orchestration.families.contract import Family
from orchestration.families.section import Section
from orchestration.report.ads import PublishedAds, read_ads
from orchestration.report.catalogue import CatalogueSummary, summarise_catalogue
from orchestration.report.commands import next_commands
from orchestration.report.family import newest_candidate, section_source
from orchestration.report.home import Home
from orchestration.report.lineage import LineageStep, lineage
from orchestration.report.products import PublishedProducts, read_published
from orchestration.report.trace import Trace, Tracer
from orchestration.runtime.settings import Settings

CHOICE_SEED = 11  # which products are shown does not change from run to run


@dataclass(frozen=True)
class ReportData:
    """The contents of one page.

    Attributes:
        sections: the families' own, in their order. chains: of the products that are shown, in their order.
        commands: (command, what it does).
        seconds: wall seconds by step of the run that is reported. peak_memory: GiB of its largest process.
    """

    catalogue: CatalogueSummary
    sections: Sequence[Section]
    published: PublishedProducts
    lineage: Sequence[LineageStep]
    chains: Sequence[Trace]
    ads: PublishedAds
    commands: Sequence[tuple[str, str]]
    seconds: Mapping[str, float] = field(default_factory=dict)
    peak_memory: float = 0.0


def gather(
    instance: dg.DagsterInstance,
    settings: Settings,
    families: Sequence[Family],
    seconds: Mapping[str, float],
    peak_memory: float,
) -> ReportData:
    """Everything the page shows.

    Raises:
        SelvedgeError: no drop was read yet, or a candidate's evidence was changed.
        ServiceUnavailable: the ledger does not answer.
    """
    home = Home(instance, settings)
    made = [family.section(section_source(home, family)) for family in families if family.section is not None]
    trained = [family.name for family in families if newest_candidate(home, family) is not None]
    published, tracer = read_published(home, CHOICE_SEED), Tracer(home, families)
    return ReportData(
        catalogue=summarise_catalogue(home, CHOICE_SEED),
        sections=[section for section in made if section is not None],
        published=published,
        lineage=lineage(home, families),
        chains=[tracer.follow(card.product_id) for card in published.cards],
        ads=read_ads(home),
        commands=next_commands(settings, trained[0], _goes_back(settings, trained[0]))
        if trained
        else next_commands(settings, None),
        seconds=seconds,
        peak_memory=peak_memory,
    )


def _goes_back(settings: Settings, family: str) -> bool:
    """Was there a champion of the family before its present one?"""
    from orchestration.registry.ledger import open_ledger

    promoted = open_ledger(settings).promotions.promoted(family)
    return promoted is not None and promoted.previous_champion is not None
