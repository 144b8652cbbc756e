"""What was published of a product, followed back: to the model behind it, its votes and rows, and the delivered line.

Belongs here: the hops and their order. Not here: what each hop looks up and recomputes (published_hops.py,
model_hops.py), printing them (orchestration/cli/, render.py).

A hop says what stands there, where it may be opened, and how far it was proved: its hash was recomputed now, it is as a
record says, it is missing, or it is not what the record says. Nothing is left out of the chain: a hop that cannot be
followed stands there with its reason.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from catalog.errors import SelvedgeError
from orchestration.defs.catalog.withdrawn import Withdrawal, withdrawal_of
from orchestration.families.contract import Family
from orchestration.report.hops import BROKEN, MISSING, SHORT, Hop, Sources
from orchestration.report.model_hops import model_hops
from orchestration.report.published_hops import ad_hops, attribute_hops, catalogue_hops, delivery_hops, sentence_hops

if TYPE_CHECKING:
    from orchestration.report.home import Home
    from orchestration.runtime.settings import Settings


@dataclass(frozen=True)
class Trace:
    """The chain of one product, from its sentence to the line it was delivered on."""

    product_id: int
    drop: str
    name: str
    hops: tuple[Hop, ...]

    @property
    def broken(self) -> list[Hop]:
        """Hops that are not what the record says."""
        return [hop for hop in self.hops if hop.state == BROKEN]

    @property
    def missing(self) -> list[Hop]:
        """Hops that could not be followed, each with its reason."""
        return [hop for hop in self.hops if hop.state == MISSING]

    def rows(self) -> list[dict[str, Any]]:
        """The hops as plain data: hop, value, link, state, note."""
        return [asdict(hop) for hop in self.hops]


def trace(settings: "Settings", product_id: int, drop: str | None, families: Sequence[Family]) -> Trace:
    """Follow one product of a home.

    Args:
        drop: of which delivery; None: the newest one that holds the product.
        families: whose models may have answered.

    Raises:
        SelvedgeError: the home holds no drop, or no drop holds the product.
        ServiceUnavailable: the ledger does not answer.
    """
    from orchestration.report.home import Home
    from orchestration.runtime.instance import open_instance, refuse_empty

    refuse_empty(settings)
    with open_instance(settings) as instance:
        return Tracer(Home(instance, settings), families).follow(product_id, drop)


class Tracer:
    """Follows products of one home; what several have in common is read and hashed once."""

    def __init__(self, home: "Home", families: Sequence[Family]) -> None:
        self._sources = Sources(home, families)

    def follow(self, product_id: int, drop: str | None = None) -> Trace:
        """The chain of a product.

        Raises:
            SelvedgeError: no drop holds it, with what is known of it, or the drop is unknown.
            ServiceUnavailable: the ledger does not answer.
        """
        sources = self._sources
        where = self._drop_of(product_id, drop)
        product = sources.product(where, product_id)
        text, hops = sentence_hops(sources, where, product_id)
        answers, asked = attribute_hops(sources, where, product_id, text)
        hops += [*ad_hops(sources, where, product_id, answers), *asked]
        models = sorted({(str(row["model_uri"]), str(row["model_digest"])) for row in answers})
        group, of_catalogue = catalogue_hops(sources, product_id)
        if not models:
            hops.append(Hop("model", state=MISSING, note="no model answered a question about this product"))
        for uri, digest in models:
            hops += model_hops(sources, uri, digest, product_id, group)
        hops += [*of_catalogue, *delivery_hops(sources, where, product_id, product)]
        return Trace(product_id, where, str(product["product_display_name"]), tuple(hops))

    def _drop_of(self, product_id: int, drop: str | None) -> str:
        drops = self._sources.home.drops
        if drop is not None and drop not in drops:
            raise SelvedgeError(f"drop {drop} was never read; there are {', '.join(drops[-8:])}.")
        holding = [name for name in drops if self._sources.holds(name, product_id)]
        if drop is None and holding:
            return holding[-1]
        if drop is not None and drop in holding:
            return drop
        raise SelvedgeError(self._why_unknown(product_id, drop, holding))

    def _why_unknown(self, product_id: int, drop: str | None, holding: Sequence[str]) -> str:
        rejected = self._sources.rejected(product_id)
        home = self._sources.home
        went = withdrawal_of(home.settings, home.drops if drop is None else [drop], product_id)
        if went is not None:
            return _withdrawn(product_id, went, rejected, holding)
        if rejected is not None:
            of, line, reason, detail = rejected
            return (
                f"product {product_id} was never published: line {line} of drop {of} is in quarantine ({reason}: "
                f"{detail}); mend the delivery and send it again."
            )
        if holding:
            return f"drop {drop} holds no product {product_id}; it is in {', '.join(holding)}."
        return (
            f"no drop of {self._sources.home.settings.home} holds product {product_id}; its ids are in column "
            "product_id of tables/inference/descriptions/."
        )


def _withdrawn(
    product_id: int, went: Withdrawal, rejected: tuple[str, int, str, str] | None, holding: Sequence[str]
) -> str:
    now = f"the delivery {went.fingerprint[:SHORT]}"
    how = f"{now} holds it no more, the one before ({went.replaced[:SHORT] or 'without a fingerprint'}) did"
    if rejected is not None and rejected[0] == went.drop:
        how = f"line {rejected[1]} of {now} went to quarantine ({rejected[2]}: {rejected[3]})"
    elsewhere = f"; it is in {', '.join(holding)}" if holding else ""
    return (
        f"product {product_id} ({went.products[product_id]}) was withdrawn from drop {went.drop} at {went.at}: {how}. "
        f"No table of the drop has it since; run {went.run[:8]} in Dagster read that delivery{elsewhere}."
    )


def traced_rows(settings: "Settings", product_id: int, drop: str | None, families: Sequence[Family]) -> dict[str, Any]:
    """A trace as plain data, for a page: product_id, drop, name, hops. Raises: as `trace`."""
    followed = trace(settings, product_id, drop, families)
    return {"product_id": product_id, "drop": followed.drop, "name": followed.name, "hops": followed.rows()}
