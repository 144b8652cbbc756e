"""`python -m orchestration.runtime.dagster_webserver …`: Dagster's web server, which answers its proxy alone.

Belongs here: the check in front of Dagster's own application. Not here: the proxy (app.py).

Dagster asks nobody who speaks to it, and its port can be found by whoever tries all. So each request has to carry what
only a reader of the home's token can compute. The arguments are those of `dagster-webserver`, which has no setting for
this: it is handed a `uvicorn.run` that puts the check in front.
"""

import os
from pathlib import Path
from typing import Any

import uvicorn

from infra.proxy.door import INNER_HEADER, SECRETS_VARIABLE, inner_secret, same, stored_token
from infra.proxy.messages import Answer, Receive, Scope, Send

HEALTH = "/server_info"


class BehindTheProxy:
    """An ASGI application that answers its proxy alone; anybody may ask whether it lives."""

    def __init__(self, app: Any, secrets_folder: Path) -> None:
        self._app, self._secrets = app, secrets_folder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or self._may(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await Answer(403, b"Dagster is reached by the link that `selvedge up` prints.\n").send(send)

    def _may(self, scope: Scope) -> bool:
        if scope["type"] == "http" and scope["method"] == "GET" and scope["path"] == HEALTH:
            return True
        given = [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == INNER_HEADER]
        return len(given) == 1 and same(given[0], inner_secret(stored_token(self._secrets)))


def main() -> None:
    """Serve as `dagster-webserver` does."""
    from dagster_webserver import cli

    secrets_folder, serve = Path(os.environ[SECRETS_VARIABLE]), uvicorn.run

    def behind(app: Any, **options: Any) -> None:
        serve(BehindTheProxy(app, secrets_folder), **options)

    uvicorn.run = behind
    cli.main()


if __name__ == "__main__":
    main()
