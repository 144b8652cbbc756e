"""Tables that evaluation makes.

Belongs here: their contracts. Not here: their rows (scores.py), writing them (catalog/tables.py).
"""

import pyarrow as pa

from catalog.tables import TEXT, declare_table

SCORES = declare_table(
    "scores",
    pa.schema(
        [
            ("family", TEXT),
            ("candidate", TEXT),
            ("subject", TEXT),  # base, candidate, champion, floor:majority, ceiling:linear_probe, …
            ("attribute", TEXT),  # an attribute, or "mean"
            ("slice", TEXT),  # "all", or "article_type=Shirts"
            ("metric", TEXT),
            ("value", pa.float64()),
            ("low", pa.float64()),  # 95 % group-bootstrap interval; missing where none applies
            ("high", pa.float64()),
            ("support", pa.int64()),  # test rows behind the figure
        ]
    ),
)
