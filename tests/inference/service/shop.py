"""A small service for tests: a shop of one bag, a tiny model of random weights, and a worker that is called by hand."""

from functools import cache
from pathlib import Path

from upath import UPath

from catalog.schema import load_schema
from catalog.workspace import read_into
from inference.ad_images.batch import AdMaker
from inference.ad_images.store import AdStore
from inference.discovery.shelf import folder_files
from inference.service.access import Admission
from inference.service.batching import Batcher
from inference.service.champions import ATTRIBUTES, Champion, Champions
from inference.service.jobs import Jobs
from inference.service.keys import Keys
from inference.service.making import AdDesk
from inference.service.metrics import Metrics
from inference.service.photographs import DescriptionDesk
from inference.service.products import Products
from inference.service.service import AdDefaults, Service, ServiceLimits
from inference.service.tables import open_database
from inference.service.worker import Worker
from tests.inference.ad_images.shop import BAG, SIZE, a_maker, photo_of
from tests.inference.tiny_model import save_tiny_artefact
from training.blip2.artefact import load_artefact

LOAD = cache(load_artefact)  # seconds each
HEADER = "id,gender,masterCategory,subCategory,articleType,baseColour,season,year,usage,productDisplayName\n"


def a_catalogue(folder: Path) -> Path:
    """A catalogue directory that holds the bag."""
    (folder / "shop" / "images").mkdir(parents=True)
    row = f"{BAG},Women,Accessories,Bags,Handbags,Olive,Summer,2012,Casual,Northwind Women Olive Handbag\n"
    (folder / "shop" / "styles.csv").write_text(HEADER + row)
    (folder / "shop" / "images" / f"{BAG}.png").write_bytes(photo_of(BAG))
    read_into(str(folder / "shop"), "autumn", folder / "catalog")
    return folder / "catalog"


def an_artefact(folder: Path, seed: int = 0) -> Champion:
    saved = save_tiny_artefact(folder, load_schema(), "details", seed=seed)
    return Champion(f"models:/attributes/{seed + 1}", saved)


class SmallService:
    """Everything of a service in one process. champion: who answers; None for nobody."""

    def __init__(self, folder: Path, catalogue: Path, champion: Champion | None, limits: ServiceLimits) -> None:
        root = UPath(folder / "objects")
        database = open_database(f"sqlite:///{folder / 'service.db'}")
        self.champion, self.audit = champion, []
        self.keys, self.jobs, self.metrics = Keys(database), Jobs(database), Metrics()
        self.champions = Champions({ATTRIBUTES: lambda: self.champion}, LOAD)
        self.champions.refresh()
        self.batcher = Batcher(self.metrics)
        self.batcher.start()
        self.maker = a_maker(folder)
        self.maker = AdMaker(self.maker.pipeline, AdStore(root / "ads", self.maker.store._rows), {"brand": "lifestyle"})
        self.made = []
        self.worker = Worker(self.jobs, AdDesk(root, self._maker_of))
        self.service = Service(
            jobs=self.jobs,
            keys=self.keys,
            champions=self.champions,
            batcher=self.batcher,
            products=Products(folder_files("autumn", UPath(catalogue), UPath(catalogue))),
            describing=DescriptionDesk(lambda: None),
            admission=Admission(limits.per_minute, limits.at_once),
            metrics=self.metrics,
            root=root,
            audit=self.audit.append,
            workers=lambda: 1,
            limits=limits,
            defaults=AdDefaults(SIZE),
        )

    def _maker_of(self, order):
        self.made.append(order)
        return self.maker
