"""Work for a cluster that needs no model."""

import os
import time
from collections.abc import Callable

import pyarrow as pa

from catalog.errors import SelvedgeError


def doubling(seconds: str) -> Callable[[pa.Table], pa.Table]:
    """Twice each number, slowly, and by which process; 13 is refused."""

    def double(batch: pa.Table) -> pa.Table:
        time.sleep(float(seconds))
        numbers = batch["number"].to_pylist()
        if 13 in numbers:
            raise SelvedgeError("number 13 is refused; leave it out.")
        return pa.table({"number": [2 * number for number in numbers], "process": [os.getpid()] * len(numbers)})

    return double
