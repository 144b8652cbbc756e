"""What the process that asks for work and the process that talks to Ray tell each other.

Belongs here: the kinds of messages, and tables as bytes. Not here: the two processes (cluster.py, driver.py).

A window of work is BATCH, BATCH, …, GO; it is answered by as many RESULTs, in order. One of the other kinds is the last
message: RAISED (a `Raised`, by the work), REFUSED or LOST (a reason, by Ray).
"""

import json
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection

import pyarrow as pa

BATCH, GO, RESULT = b"b", b"g", b"r"
RAISED, REFUSED, LOST = b"e", b"x", b"l"


@dataclass(frozen=True)
class Named:
    """Work by name: `factory` is `module:function`, called with `arguments` once in every process of the cluster."""

    factory: str
    arguments: dict[str, str]


@dataclass(frozen=True)
class Raised:
    """An exception as it travels: by the name of its class, not pickled."""

    module: str
    name: str
    text: str

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Raised":
        return cls(**json.loads(text))


def to_bytes(table: pa.Table) -> bytes:
    """A table in Arrow's stream format."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def from_bytes(content: bytes) -> pa.Table:
    """What `to_bytes` was given."""
    with pa.ipc.open_stream(content) as reader:
        return reader.read_all()


def send(connection: Connection, kind: bytes, content: bytes = b"") -> None:
    connection.send_bytes(kind + content)


def receive(connection: Connection) -> tuple[bytes, bytes]:
    """Kind and content of the next message; raises EOFError where the other process has ended."""
    message = connection.recv_bytes()
    return message[:1], message[1:]
