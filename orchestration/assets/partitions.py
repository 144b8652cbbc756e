"""Partitions: which keys there are, what a key may look like, and how two partition sets meet.

Belongs here: the partition sets, the validation of their keys, the mappings every dependency states, the naming of
candidates. Not here: where a drop's files are (drops.py) and what a candidate is trained from (candidates.py).

Dagster takes a comma, `../x` and the empty string as a key, and maps two dynamic sets onto each other by identity
without a word. So keys pass `valid_key` wherever they enter, and every dependency states `SAME` or `EVERY`.
"""

import re

import dagster as dg

from catalog.errors import SelvedgeError

DROPS = dg.DynamicPartitionsDefinition(name="drop")
PARTITION_TAG = "dagster/partition"  # of a run: its partition

# A dependency on the same drop or the same candidate.
SAME = dg.IdentityPartitionMapping()
# A dependency of (or on) something unpartitioned: on all drops or candidates there are.
EVERY = dg.AllPartitionMapping()

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
FINGERPRINT_DIGITS = 6


def valid_key(key: str, what: str = "drop") -> str:
    """The key itself, when it is a file name on every system and safe in Dagster's own lists.

    Raises:
        SelvedgeError: it is empty, too long, hidden, or holds anything but letters, digits, `.`, `_` and `-`.
    """
    if not _KEY.fullmatch(key) or ".." in key:
        raise SelvedgeError(
            f"{what} {key!r} is not a usable partition key; use 1 to 100 letters, digits, dots, dashes or underscores, "
            "beginning with a letter or digit and without two dots in a row."
        )
    return key


def slug(family: str) -> str:
    """A family's name inside an asset key."""
    return family.replace("-", "_")


def candidate_partitions(family: str) -> dg.DynamicPartitionsDefinition:
    """The partition set of one family: a candidate of one family can never be judged as another's."""
    return dg.DynamicPartitionsDefinition(name=f"{family}-candidate")


def candidate_key(family: str, fingerprint: str, day: str, taken: set[str]) -> str:
    """`<family>-<yyyymmdd>-<6 hex>`; the day is kept when a candidate of this fingerprint is already there.

    A candidate that was interrupted at 23:59 has to be found again at 0:01, so only the hexadecimal part identifies it.

    Args:
        fingerprint: hexadecimal, over the training settings and the data set.
        day: yyyymmdd, used for a new candidate only.
        taken: keys of the family's partition set.
    """
    digits = fingerprint[:FINGERPRINT_DIGITS]
    pattern = re.compile(rf"{re.escape(family)}-\d{{8}}-{digits}")
    return next((key for key in sorted(taken) if pattern.fullmatch(key)), f"{family}-{day}-{digits}")


def valid_candidate(family: str, key: str) -> str:
    """The key itself, when it names a candidate of this family.

    Raises:
        SelvedgeError: it is shaped otherwise; Dagster's page lets anybody type a key.
    """
    if not re.fullmatch(rf"{re.escape(family)}-\d{{8}}-[0-9a-f]{{{FINGERPRINT_DIGITS}}}", key):
        raise SelvedgeError(
            f"candidate {key!r} is not of the form {family}-<yyyymmdd>-<{FINGERPRINT_DIGITS} hexadecimal digits>; "
            f"candidates of {family} are opened by its training job, not by hand."
        )
    return key
