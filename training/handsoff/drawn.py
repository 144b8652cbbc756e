"""The drawn pictures that the base is made of, as files that a machine without the drawing library can use.

Belongs here: which garments are drawn, packing and unpacking them. Not here: squares for training (pictures.py), the
judge that measures the base and the base itself (benchmarks/handsoff_base.py).

Style `studio` only, every article type: plain product shots. `atelier` stays what it is for, a test that nobody
trained on. The seed is one that no catalogue may be drawn with, so whatever catalogue a base is examined on, the
generator has not seen its garments. Pictures are JPEGs, as a catalogue's are: without loss they would take twice the
space, for grain that nobody learns.
"""

import io
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image

from catalog.drawn.spec import sample_spec
from catalog.drawn.world import RESERVED_SEEDS
from catalog.errors import SelvedgeError
from catalog.files import jpeg_bytes, publish_bytes

SEED = RESERVED_SEEDS.start + 51
PARTS = {"training": range(5004), "held-out": range(5004, 5604), "judge": range(6000, 9000)}
"""Product ids; each part is whole blocks of twelve ids, so no garment is in two."""
DRAWN_SIDE, PACKED_SIDE = 256, 128  # pixels
QUALITY = 92
EPOCH = (1980, 1, 1, 0, 0, 0)  # of the entries: the same pictures are the same file
Progress = Callable[[int, int, str], None]


def pack_drawn(out: Path, parts: Sequence[str], progress: Progress | None = None) -> None:
    """Draw parts of the pictures and write them as one zip of `<part>/<id>.jpg`.

    Args:
        out: the file. parts: keys of `PARTS`.

    Raises:
        SelvedgeError: the file cannot be written; what was there before stays.
    """
    from catalog.drawn.garments import draw_garment  # asks for skia

    entries = [(part, product_id) for part in parts for product_id in PARTS[part]]
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:  # stored: JPEGs do not get smaller
        for done, (part, product_id) in enumerate(entries, 1):
            picture = Image.fromarray(draw_garment(sample_spec(SEED, product_id), DRAWN_SIDE, parts=False).image)
            small = picture.resize((PACKED_SIDE, PACKED_SIDE), Image.Resampling.BOX)
            entry = zipfile.ZipInfo(f"{part}/{product_id:05d}.jpg", EPOCH)
            archive.writestr(entry, jpeg_bytes(small, QUALITY, subsampling=0))
            if progress is not None:
                progress(done, len(entries), "drawing")
    publish_bytes(sink.getvalue(), out)


def unpack(pack: Path, part: str) -> list[tuple[str, bytes]]:
    """(id, file) of every picture of one part, by id.

    Raises:
        SelvedgeError: the pack is missing or damaged, or has no picture of this part.
    """
    try:
        with zipfile.ZipFile(pack) as archive:
            names = sorted(name for name in archive.namelist() if name.startswith(f"{part}/"))
            files = [(Path(name).stem, archive.read(name)) for name in names]
    except (OSError, zipfile.BadZipFile) as error:
        raise SelvedgeError(
            f"pack {pack} is missing or damaged ({error}); make it with `python -m benchmarks.handsoff_data`."
        ) from error
    if not files:
        raise SelvedgeError(f"pack {pack} holds no pictures of part {part}; make it again.")
    return files
