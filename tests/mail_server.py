"""A mail server for tests: takes mail over a real socket of this machine, with STARTTLS and a password if asked to.

Belongs here: the few words of SMTP that smtplib says. Not here: a server for anything else.
"""

import base64
import email
import email.policy
import socket
import ssl
import tempfile
import threading
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Self, cast


class MailServerForTests:
    """Serves one connection after another until it is left.

    Attributes:
        mails, recipients, lines: what it was given. user: name and password that were said.
        password: None takes any. refuses: a recipient that it does not take.
    """

    def __init__(self, encrypted: bool = False, refuses: str = "") -> None:
        self.mails, self.recipients, self.lines = list[EmailMessage](), list[str](), list[str]()
        self.user: tuple[str, str] | None = None
        self.password: str | None = None
        self.refuses = refuses
        self._folder = tempfile.TemporaryDirectory()
        self.certificate = Path(self._folder.name) / "certificate.pem"
        self._context = _context(self.certificate) if encrypted else None
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)

    @property
    def address(self) -> str:
        return f"smtp://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()
        self._folder.cleanup()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                try:
                    self._talk(connection)
                except OSError:  # a client that does not trust the certificate hangs up
                    continue

    def _talk(self, connection: socket.socket) -> None:
        file = connection.makefile("rwb")

        def say(*lines: str) -> None:
            file.write("".join(f"{line}\r\n" for line in lines).encode())
            file.flush()

        say("220 test")
        while line := file.readline().decode().strip():
            self.lines.append(line)
            word = line.split()[0].upper()
            if word == "EHLO":
                offers = "STARTTLS" if self._context and not isinstance(connection, ssl.SSLSocket) else "AUTH PLAIN"
                say("250-test", f"250 {offers}" if self._context else "250 SMTPUTF8")
            elif word == "STARTTLS" and self._context:
                say("220 go on")
                connection = self._context.wrap_socket(connection, server_side=True)
                file = connection.makefile("rwb")
            elif word == "AUTH":
                _, name, password = base64.b64decode(line.split()[2]).decode().split("\0")
                self.user = (name, password)
                say("535 no" if self.password not in (None, password) else "235 yes")
            elif word == "RCPT":
                recipient = line.partition("<")[2].rstrip(">")
                if recipient != self.refuses:
                    self.recipients.append(recipient)
                say("550 unknown" if recipient == self.refuses else "250 yes")
            elif word == "DATA":
                say("354 go on")
                content = b"".join(iter(file.readline, b".\r\n"))
                parsed = email.message_from_bytes(content, policy=email.policy.default)
                self.mails.append(cast(EmailMessage, parsed))
                say("250 yes")
            elif word == "QUIT":
                say("221 bye")
                return
            else:
                say("250 yes")


def _context(file: Path) -> ssl.SSLContext:
    """Of a certificate for 127.0.0.1 that is written into the file, with its key beside it."""
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now, address = datetime.now(UTC), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret = file.with_name("key.pem")
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, secret)
    return context
