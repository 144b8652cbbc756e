"""Tables that inference publishes.

Belongs here: their contracts. Not here: their rows (attributes.py, descriptions/), writing them (catalog/tables.py),
the index of vectors (discovery/index.py).
"""

import pyarrow as pa

from catalog.tables import TEXT, declare_table

ATTRIBUTES = declare_table(
    "attributes",
    pa.schema(
        [
            ("drop", TEXT),
            ("product_id", pa.int64()),
            ("attribute", TEXT),
            ("value", TEXT),  # the most likely value, also where the model abstains
            ("confidence", pa.float32()),
            ("abstained", pa.bool_()),
            ("model_uri", TEXT),
            ("model_digest", TEXT),
            ("input_hash", TEXT),
        ]
    ),
    finite=("confidence",),
)

DESCRIPTIONS = declare_table(
    "descriptions",
    pa.schema(
        [
            ("drop", TEXT),
            ("product_id", pa.int64()),
            ("text", TEXT),
            ("writer", TEXT),
            ("checks", TEXT),  # JSON: coverage, unsupported, contradictions, banned
            ("attempt", pa.int16()),
            ("model_version", TEXT),
            ("prompt_version", TEXT),
            ("input_hash", TEXT),
        ]
    ),
)

AD_IMAGES = declare_table(
    "ad_images",
    pa.schema(
        [
            ("drop", TEXT),
            ("product_id", pa.int64()),
            ("theme", TEXT),
            ("rank", pa.int16()),  # 1 is shown first
            ("uri", TEXT),
            ("sha256", TEXT),  # of the picture file
            ("recipe_sha256", TEXT),  # of the file beside it, from which it is made again
            ("plan", TEXT),  # JSON: section, rotation, scale, position
            ("caption", TEXT),
            ("checks", TEXT),  # JSON: value, limit and answer by guideline
            ("score", pa.float32()),  # of the ranker
            ("seed", pa.int64()),
            ("backdrop", TEXT),  # name and version of what painted the background
            ("model_version", TEXT),  # whose attributes the brief rests on
            ("input_hash", TEXT),
        ]
    ),
    finite=("score",),
)

GARMENT_MASKS = declare_table(
    "garment_masks",
    pa.schema(
        [
            ("drop", TEXT),
            ("product_id", pa.int64()),
            ("mask", pa.binary()),  # PNG of the standard picture's size, one class a pixel
            ("classes", pa.list_(TEXT)),  # names; the first is the background
            ("product_share", pa.float32()),  # of the pixels that are not background
            ("model_uri", TEXT),
            ("model_digest", TEXT),
            ("input_hash", TEXT),
        ]
    ),
    finite=("product_share",),
)
