"""The demo of HandsOff: from fifty labelled pictures to a promoted segmenter that cuts out ten products.

Belongs here: the drawn labels, the plan and the short trainings of a laptop. Not here: the lifecycle (demo.py), which
is the same, with one family.
"""

import json
from typing import TYPE_CHECKING, Any

from catalog.errors import SelvedgeError
from catalog.files import publish_bytes, publish_text
from orchestration.assets.published import Tables
from orchestration.families.registered import publisher_of
from orchestration.jobs.demo import run_demo
from orchestration.runtime.instance import open_instance
from orchestration.runtime.settings import Settings

if TYPE_CHECKING:
    from training.reporting import Reporter

MASKS = "inference/garment_masks"
LABELS, TEST = 50, 100  # pictures
PRODUCTS, CUT_OUT = 60, 10  # of the two drops
ITEMS = 40  # test pictures of the round
SEED = 4_001  # of the labelled garments: not the catalogue's, which the segmenter is to cut out
PLAN = {
    "labels": "labels",
    "test": "test",
    "inversion": {"encoder_steps": 250, "refine_steps": 30, "batch_size": 16, "steps": 25, "references": 8},
    "labeller": {"members": 5, "epochs": 6},
    "generation": {"pictures": 600},
}
LEARNING = {"data": "both"}  # of the segmenter, so that what HandsOff made is used
FOLDER, SHEET = "handsoff-demo", "cut-outs.png"
OWN_HOME = "handsoff"


def run_handsoff_demo(settings: Settings, reporter: "Reporter | None" = None) -> dict[str, Any]:
    """Labels are drawn, and the family that segments goes its whole way in a home of its own.

    Returns:
        report, round_report, home, champion, cutouts (a picture), products.

    Raises:
        SelvedgeError: as `run_demo`; or no candidate was promoted.
    """
    from inference.garment_masks import sheet_of
    from training.handsoff.drawn_labels import write_drawn_labels

    family = publisher_of(MASKS)
    if family is None:
        raise SelvedgeError(f"no installed family publishes {MASKS}; add one that segments.")
    if "home" not in settings.model_fields_set:
        home = settings.home.with_name(f"{settings.home.name}-{OWN_HOME}").resolve()
        settings = settings.model_copy(update={"home": home})
    folder = settings.home / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_drawn_labels(folder / "labels", LABELS, SEED)
    write_drawn_labels(folder / "test", TEST, SEED, first=LABELS)
    plan, learning = folder / "plan.yaml", folder / "segmenter.yaml"
    for file, values in ((plan, PLAN), (learning, LEARNING)):
        publish_text(json.dumps(values, indent=1) + "\n", file)  # JSON is YAML
    changed = {
        "handsoff": plan,
        "family_settings": {**settings.family_settings, family.name: learning},
        "demo_products": PRODUCTS,
        "demo_new_products": CUT_OUT,
        "review_items": ITEMS,
    }
    settings = settings.model_copy(update=changed)
    outcome = run_demo(settings, reporter=reporter, families=(family,))
    if outcome["champion"] is None:
        raise SelvedgeError(f"no candidate of {family.name} was promoted; {outcome['report']} says why.")
    drop = "drawn-2"
    with open_instance(settings) as instance:
        tables = Tables(root=str(settings.tables()))
        masks, images = (tables.read(instance, name, drop).to_pandas() for name in (MASKS, "catalog/images"))
    sheet = settings.home / SHEET
    publish_bytes(sheet_of(images, masks), sheet)
    names = ("report", "round_report", "home", "champion")
    return {**{name: outcome[name] for name in names}, "cutouts": str(sheet), "products": len(masks)}
