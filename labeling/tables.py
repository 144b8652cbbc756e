"""Tables that a round of review is made of.

Belongs here: their contracts. Not here: their rows (review/strips.py and what draws them), the ledger's tables in a
database (review/ledger/tables.py).
"""

import pyarrow as pa

from catalog.tables import TEXT, declare_table

STRIPS = declare_table(
    "strips",
    pa.schema(
        [
            ("product_id", pa.int64()),
            ("query", TEXT),  # the words as they are said
            ("words", pa.list_(TEXT)),  # the places as they are read
            ("frames", pa.binary()),  # PNG, one square picture after each word, side by side
            ("asked_l", pa.float32()),  # CIELAB of the colour asked; missing where none is
            ("asked_a", pa.float32()),
            ("asked_b", pa.float32()),
            ("colour_at", pa.int16()),  # the place of its word, -1 where none is asked
        ]
    ),
)

ADS = declare_table("ads", pa.schema([("product_id", pa.int64()), ("picture", pa.binary())]))  # JPEG or PNG

MASKS = declare_table(
    "masks",
    pa.schema(
        [
            ("product_id", pa.int64()),  # the number of a test picture
            ("picture", pa.binary()),
            ("mask", pa.binary()),  # PNG of the picture's size, one class a pixel
            ("classes", pa.list_(TEXT)),
        ]
    ),
)
