"""A web server on loopback that plays the faults a real Label Studio shows only now and then.

Belongs here: the server. Not here: what a client makes of the faults (test_connection.py, test_client.py).
"""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[int, dict[str, str], str]


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None: ...  # a client that gave up


class FaultyServer:
    """Answers what a test tells it to, and keeps what it was asked."""

    def __init__(self, port: int = 0) -> None:
        self.answer: Callable[[int], Answer | None] = lambda number: (200, {}, "{}")
        self.asked: list[tuple[str, str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.asked.append((self.command, self.path, self.headers.get("Authorization", "")))
                answer = outer.answer(len(outer.asked))
                if answer is None:
                    self.close_connection = True  # as a server that dies while it works
                    return
                status, headers, body = answer
                self.send_response_only(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body.encode())

            do_GET = do_POST = do_PATCH = do_DELETE = handle_any

            def log_message(self, *arguments: object) -> None: ...

        self.http = QuietServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self._thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def stop(self) -> None:
        self.http.shutdown()
        self._thread.join()
        self.http.server_close()
