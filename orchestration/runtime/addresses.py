"""Addresses that a setting may hold: a folder or a bucket, a server, a database, a table, a network's file, a cluster.

Belongs here: what is none of them, as one clause with the right form. Not here: the settings (settings.py).
"""

import importlib.util
import os
import re
from pathlib import Path

from upath import UPath

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_BUCKET = re.compile(r"s3://[A-Za-z0-9][A-Za-z0-9._-]{1,62}(/[^?#]*)?")
_SERVER = re.compile(r"https?://[^/\s:@?#]+(:(?P<port>[0-9]{1,5}))?(/\S*)?", re.IGNORECASE)
LARGEST_PORT = 65535
_TABLE = re.compile(r"[A-Za-z0-9_.-]{3,255}")
LOCAL = "local"  # a Ray cluster of this machine alone
BEDROCK, DYNAMODB = "bedrock", "dynamodb:"
CHAMPION, NOBODY = "champion", "none"  # beside those who can be named
_CLUSTER = re.compile(r"([A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:]+\]):(?P<port>[0-9]{1,5})")
_DATABASE = re.compile(r"[A-Za-z][A-Za-z0-9_+.-]*://\S*")


def place(text: str) -> str:
    """A bucket as it is written, or the absolute path of a folder: child processes work in other folders.

    Raises:
        ValueError: an address of another kind, or a bucket without a name.
    """
    if _BUCKET.fullmatch(text):
        return text
    if _SCHEME.match(text) or "\0" in text:
        raise ValueError("it is a folder, or a bucket as s3://BUCKET or s3://BUCKET/PREFIX")
    return str(Path(text).expanduser().resolve())


def inbox(value: str | Path | UPath) -> UPath:
    """A bucket, or the absolute path of a folder, which need not be there.

    Raises:
        ValueError: neither, or a package that reads buckets is missing.
    """
    where = place(str(value).rstrip("/"))
    require_packages(where)
    return UPath(where) if "://" in where else UPath(folder(Path(where)))


def require_packages(uri: str, *more: str) -> None:
    """Without this look the first table, or the first step's log, would fail long after the start.

    Raises:
        ValueError: a bucket, and a package that reads one is missing.
    """
    missing = [name.replace("_", "-") for name in ("s3fs", *more) if importlib.util.find_spec(name) is None]
    if uri.startswith("s3://") and missing:
        raise ValueError(f"s3:// needs the package {' and '.join(missing)}; install selvedge[aws]")


def folder(path: Path) -> Path:
    """The absolute path of a folder of this machine.

    Raises:
        ValueError: it is an address, or empty, or a file stands there or above it.
    """
    if not path.parts:  # an unset variable of the shell; the folder one is in would become it
        raise ValueError("it is empty; leave it out, or name a folder")
    if _SCHEME.match(str(path)):
        raise ValueError("it is a folder of this machine and no address; a bucket belongs into SELVEDGE_STORAGE")
    absolute = path.expanduser().resolve()
    nearest = next(folder for folder in (absolute, *absolute.parents) if os.path.lexists(folder))
    if not nearest.is_dir():
        raise ValueError(f"{nearest} is a file; name a folder")
    return absolute


def server(text: str) -> str:
    """Raises: ValueError: no http address."""
    address = _SERVER.fullmatch(text)
    if not address or not 0 < int(address["port"] or 80) <= LARGEST_PORT:
        raise ValueError("it is an address like https://mlflow.example.com or http://127.0.0.1:5000")
    return text.rstrip("/")


def database(text: str) -> str:
    """Raises: ValueError: no URI of a database; the text may hold a password and is not repeated."""
    if not _DATABASE.fullmatch(text):
        raise ValueError("it is a URI like sqlite:////path/to/file.db or postgresql://user@host/name")
    return text


def rows(text: str) -> str:
    """Raises: ValueError: neither a table of DynamoDB nor a URI of a database; it is not repeated."""
    if not text.startswith(DYNAMODB):
        if not text.startswith(("sqlite:///", "postgresql")):
            raise ValueError(
                "it is dynamodb:TABLE, or a URI like postgresql://user@host/name or sqlite:////path/ads.db"
            )
        return database(text)
    if not _TABLE.fullmatch(text.removeprefix(DYNAMODB)):
        raise ValueError("it is dynamodb:TABLE, a name of 3 to 255 letters, digits, '-', '_' and '.'")
    return text


def segmenter(text: str) -> str:
    """`champion`, `bedrock` and `none` as they are, or the absolute path of an ONNX file.

    Raises:
        ValueError: it is none of these.
    """
    if text in (CHAMPION, BEDROCK, NOBODY):
        return text
    if not text.lower().endswith(".onnx") or "\0" in text or _SCHEME.match(text):
        raise ValueError("it is champion, bedrock, none, or the path of an ONNX file that ends with .onnx")
    return str(Path(text).expanduser().resolve())


def cluster(text: str) -> str:
    """`local`, or host and port of a Ray cluster's head.

    Raises:
        ValueError: it is neither; an address of Ray Client is none, as Ray Data is not made for it.
    """
    address = _CLUSTER.fullmatch(text)
    if text != LOCAL and not (address and 0 < int(address["port"]) <= LARGEST_PORT):
        raise ValueError("it is host and port of the cluster's head, like 10.0.0.5:6379, or local")
    return text


def require_ray(address: str | None) -> None:
    """Without this look a step would fail long after the start.

    Raises:
        ValueError: no cluster is named, or the package is missing.
    """
    if importlib.util.find_spec("ray") is None:
        raise ValueError("the package ray is missing; pip install 'selvedge[ray]'")
    if address is None:
        raise ValueError(
            "no cluster is named; set SELVEDGE_RAY_ADDRESS to its head, like 10.0.0.5:6379, or to local, which starts "
            "one on this machine"
        )
