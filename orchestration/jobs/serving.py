"""Serving: the request API of a home, with what its settings say: server, workers, champions.

Belongs here: from settings to the parts of a service, its processes, their end. Not here: the parts
(inference/service/), keeping processes alive (infra/local/), options (cli/serve_command.py).

The server answers on a thread of its own; the main thread looks after the workers, which end with it.
"""

import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from logging.handlers import RotatingFileHandler
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from catalog.errors import SelvedgeError
from infra.local.services import Service as Process
from infra.local.services import ensure
from infra.local.up import Group
from infra.secret_file import ensure_secret
from orchestration.runtime.addresses import CHAMPION
from orchestration.runtime.services import in_our_words
from orchestration.runtime.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI
    from upath import UPath

    from inference.ad_images.batch import AdMaker
    from inference.service.champions import Champion, Champions
    from inference.service.jobs import Jobs
    from inference.service.keys import Keys
    from inference.service.making import Order
    from inference.service.products import Products
    from inference.service.service import Service

STUDIO = "studio"  # the client that the studio's page is
FOLDER = "service"  # of the service's files, among the objects
AUDIT_BYTES = 10_000_000
STOP_SECONDS = 10


@dataclass(frozen=True)
class Offered:
    """What a service is started on. catalog: a directory in place of the home's tables. model: an artefact in place
    of the champion's."""

    catalog: Path | None = None
    model: Path | None = None


def open_keys(settings: Settings) -> "Keys":
    """The keys of a home's service. Raises: SelvedgeError, ServiceUnavailable: its database cannot be used."""
    from inference.service.keys import Keys
    from inference.service.tables import open_database
    from orchestration.runtime.private import close_to_others

    settings.home.mkdir(parents=True, exist_ok=True)
    keys = Keys(open_database(settings.service_uri))
    close_to_others(settings.home)
    return keys


def studio_key(settings: Settings, keys: "Keys") -> str:
    """The key of the pages that `selvedge serve` opens, the same at every start; it has every right."""
    from inference.service.keys import RIGHTS

    key = ensure_secret(settings.secrets / "studio-key")
    keys.keep(STUDIO, key, RIGHTS)
    return key


@contextmanager
def serving(
    settings: Settings, offered: Offered, listener: socket.socket, tell: Callable[[str], None]
) -> Iterator[tuple["Service", Callable[[], None]]]:
    """A service that answers on a socket, with its workers; and what looks after these until it is interrupted.

    Raises:
        SelvedgeError: a table, a setting or the database cannot be used. ServiceUnavailable: a worker does not start.
    """
    from inference.service.app import create_app
    from inference.service.champions import Champions
    from orchestration.families import FAMILIES
    from orchestration.report.home_pages import HomePages
    from training.blip2.artefact import load_artefact

    champions = Champions(resolvers(settings, offered.model), load_artefact)
    with audit_log(settings) as audit, Group() as group:
        service = build(settings, offered, champions, audit, lambda: sum(kept.running.alive() for kept in group.kept))
        with in_our_words():
            for number in range(1, settings.service_workers + 1):
                group.add(partial(ensure, _worker(settings, offered, number), tell))
        service.batcher.start()
        champions.start()
        try:
            with answering(create_app(service, HomePages(settings, FAMILIES)), listener):
                yield service, partial(_watch, group, tell)
        finally:
            champions.stop()
            service.batcher.stop()


def build(
    settings: Settings,
    offered: Offered,
    champions: "Champions",
    audit: RotatingFileHandler,
    workers: Callable[[], int],
) -> "Service":
    """The parts of a service, as the settings say. Raises: as `serving`."""
    from inference.service.access import Admission
    from inference.service.batching import Batcher
    from inference.service.jobs import Jobs
    from inference.service.keys import Keys
    from inference.service.metrics import Metrics
    from inference.service.photographs import DescriptionDesk
    from inference.service.service import AdDefaults, Service, ServiceLimits
    from inference.service.tables import open_database
    from orchestration.defs.inference.ad_parts import AdParts, side_for
    from orchestration.defs.inference.writers import description_writer

    database, limits, metrics = open_database(settings.service_uri), ServiceLimits(), Metrics()
    side = side_for(AdParts.of(settings), settings.ad_size)
    return Service(
        jobs=Jobs(database),
        keys=Keys(database),
        champions=champions,
        batcher=Batcher(metrics),
        products=products_of(settings, offered.catalog),
        describing=DescriptionDesk(partial(description_writer, settings)),
        admission=Admission(limits.per_minute, limits.at_once),
        metrics=metrics,
        root=files_of(settings),
        audit=partial(_note, audit),
        workers=workers,
        limits=limits,
        defaults=AdDefaults((side, side), settings.ad_on_model, settings.ad_judge == "champion"),
    )


def files_of(settings: Settings) -> "UPath":
    """Where the service keeps photographs, plans and pictures."""
    from upath import UPath

    root = settings.objects() / FOLDER
    return root if settings.storage else UPath(Path(root.path).absolute())


def open_jobs(settings: Settings) -> "Jobs | None":
    """The requests of a home's service; None where it never had one, as asking would make its database.

    Raises:
        SelvedgeError, ServiceUnavailable: the database cannot be used.
    """
    from inference.service.jobs import Jobs
    from inference.service.tables import open_database

    uri = settings.service_uri
    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).is_file():
        return None
    return Jobs(open_database(uri))


def old_files(settings: Settings, jobs: "Jobs", before: float) -> Iterator[tuple[str, tuple[Path, ...]]]:
    """Names and files of the service that no request names which ended later; a bucket's are left alone."""
    from inference.service.making import ADS, PHOTOS, PLANS

    root = Path(files_of(settings).path)
    if settings.storage is not None or not root.is_dir():
        return
    names, photos = jobs.in_use(before)
    made = {path.name for folder in (ADS, PLANS) if (root / folder).is_dir() for path in (root / folder).iterdir()}
    for name in sorted(made - names):
        yield name, tuple(path for folder in (ADS, PLANS) if (path := root / folder / name).exists())
    for photo in sorted((root / PHOTOS).glob("*/*")):
        if photo.name not in photos and not photo.name.startswith("."):
            yield photo.name, (photo,)


def products_of(settings: Settings, catalog: Path | None) -> "Products":
    """The home's products, or those of a catalogue directory. Raises: SelvedgeError: it is none."""
    from upath import UPath

    from catalog.workspace import open_catalogue
    from inference.discovery.shelf import folder_files, home_files
    from inference.service.products import Products

    if catalog is None:
        return Products(home_files(settings.tables()))
    folder = UPath(catalog.expanduser().resolve())
    return Products(folder_files(str(open_catalogue(catalog).summary["drop"]), folder, folder))


def resolvers(settings: Settings, model: Path | None) -> "Mapping[str, Callable[[], Champion | None]]":
    """Role to what names its champion now; `model` answers in place of the attributes' one."""
    from inference.service.champions import ATTRIBUTES, RANKER, SEGMENTER, Champion
    from orchestration.families.registered import publisher_of

    roles: dict[str, Callable[[], Champion | None]] = {}
    if model is not None:
        champion = Champion(model.as_uri(), model)
        roles[ATTRIBUTES] = lambda: champion
    publications = {ATTRIBUTES: "inference/attributes", RANKER: "inference/ad_images"}
    if settings.ad_segmenter == CHAMPION:
        publications[SEGMENTER] = "inference/garment_masks"
    for role, published in publications.items():
        family = publisher_of(published)
        if family is not None and role not in roles:
            roles[role] = LedgerChampion(settings, family.name, needed=role == ATTRIBUTES)
    return roles


class LedgerChampion:
    """Names the champion of a family; the files of a version are held to their hash when it is first named.

    A home without a ledger is not given one for the question, and nothing has to run for the answer.
    """

    def __init__(self, settings: Settings, family: str, needed: bool) -> None:
        self._settings, self._family, self._needed = settings, family, needed
        self._last: Champion | None = None

    def __call__(self) -> "Champion | None":
        """Raises: SelvedgeError: there is none and one is needed; ledger and registry disagree. ServiceUnavailable."""
        from inference.service.champions import Champion
        from orchestration.registry.ledger import open_ledger
        from orchestration.registry.registry import Registry

        settings = self._settings
        empty = settings.ledger_in_home and not Path(settings.ledger_uri.removeprefix("sqlite:///")).exists()
        if empty or open_ledger(settings).promotions.champion(self._family) is None:
            if self._needed:
                raise SelvedgeError(
                    f"{self._family} has no champion yet; promote a candidate, or serve a model with --model FOLDER."
                )
            return None
        registry = Registry(settings)
        version = registry.champion(self._family)
        if version is None:
            return None
        if self._last is None or self._last.uri != version.uri:
            self._last = Champion(version.uri, registry.artefact_path(version))
        return self._last


def work(settings: Settings, catalog: Path | None) -> None:
    """Make what is asked for, in this process, until it is interrupted. Raises: SelvedgeError: as `serving`."""
    from threading import Event

    from inference.service.jobs import Jobs
    from inference.service.making import AdDesk
    from inference.service.tables import open_database
    from inference.service.worker import Worker

    products = products_of(settings, catalog)
    desk = AdDesk(files_of(settings), partial(maker_of, settings, products))
    Worker(Jobs(open_database(settings.service_uri)), desk).work(Event())


def maker_of(settings: Settings, products: "Products", order: "Order") -> "AdMaker":
    """What makes an order: the settings' parts, with its brand and the champions that it was accepted with.

    Raises:
        SelvedgeError: as `ad_parts.ad_maker`.
    """
    from inference.service.champions import ATTRIBUTES, RANKER, SEGMENTER
    from inference.service.making import ADS
    from orchestration.defs.inference.ad_parts import AdParts, ad_maker

    folders = {role: Path(folder) for role, folder in order.champions.items()}
    parts = AdParts.of(
        settings,
        brand=order.brand,
        ranker=folders.get(RANKER),
        segmenting=folders.get(SEGMENTER),
        champion=folders.get(ATTRIBUTES),
    )
    return ad_maker(replace(parts, root=str(files_of(settings) / ADS), brands=products.brands()))


def _worker(settings: Settings, offered: Offered, number: int) -> Process:
    catalog = () if offered.catalog is None else ("--catalog", str(offered.catalog.expanduser().resolve()))
    return Process(
        name=f"service-worker-{number}",
        command=(sys.executable, "-m", "orchestration.cli", "serve", "work", *catalog),
        folder=settings.home / FOLDER,
        log=settings.logs / f"service-worker-{number}.log",
        settle_seconds=0.3,
    )


@contextmanager
def answering(app: "FastAPI", listener: socket.socket) -> Iterator[None]:
    """The app on a socket, from a thread, whose failure interrupts the main one."""
    import uvicorn

    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=STOP_SECONDS
    )
    server = uvicorn.Server(config)
    failures: list[BaseException] = []

    def run() -> None:
        try:
            server.run(sockets=[listener])
        except BaseException as error:  # raised below, on the thread that waits
            failures.append(error)
        if not server.should_exit:
            os.kill(os.getpid(), signal.SIGINT)

    thread = Thread(target=run, name="server")
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
        if failures:
            raise SelvedgeError(f"the server ended ({failures[0]}); start it again.") from failures[0]


def _watch(group: Group, tell: Callable[[str], None]) -> None:
    with in_our_words():
        group.watch(tell)


@contextmanager
def audit_log(settings: Settings) -> Iterator[RotatingFileHandler]:
    """One JSON object a line: who asked for what, when, with which end. No content, no addresses."""
    settings.logs.mkdir(parents=True, exist_ok=True)
    file = settings.logs / "service-audit.log"
    with closing(RotatingFileHandler(file, maxBytes=AUDIT_BYTES, backupCount=1, encoding="utf-8")) as log:
        yield log


def _note(audit: RotatingFileHandler, entry: Mapping[str, Any]) -> None:
    audit.handle(logging.makeLogRecord({"msg": json.dumps(entry)}))
