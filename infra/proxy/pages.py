"""The proxy's own pages: refusals with the way back, an annotator's list of rounds, and what is put into the stream.

Belongs here: HTML. Not here: who sees which (app.py), script and style of the label stream: the proxy is told in which
folder they lie.
"""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from infra.proxy.messages import Answer, Request, as_json

OWN_FOLDER = "/selvedge/"  # of the public address; nothing below it is asked of the service
MLFLOW_SCRIPT = "mlflow_page.js"  # beside this module
HEALTH = f"{OWN_FOLDER}health"
INJECTED = {"annotator_page.css": "text/css; charset=utf-8", "annotator_page.js": "text/javascript; charset=utf-8"}
CONTENT_POLICY = b"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>
body {{ font: 17px/1.5 system-ui, sans-serif; max-width: 38rem; margin: 12vh auto; padding: 0 1.2rem; color: #1d1d1f;
background: #fff }} h1 {{ font-size: 1.35rem; font-weight: 600 }} a {{ color: #0b57a4 }} li {{ margin: .4rem 0 }}
@media (prefers-color-scheme: dark) {{ body {{ background: #161618; color: #ececee }} a {{ color: #8ab8f0 }} }}
</style></head><body><main><h1>{title}</h1>{body}</main></body></html>"""


def page(status: int, title: str, body: str) -> Answer:
    """A page; `body` is HTML."""
    content = PAGE.format(title=escape(title), body=body).encode()
    headers = ((b"content-security-policy", CONTENT_POLICY), (b"referrer-policy", b"no-referrer"))
    return Answer(status, content, "text/html; charset=utf-8", headers)


def refused(request: Request, title: str, sentence: str, status: int = 403, way_back: str = "") -> Answer:
    """A refusal in the form that the asker reads: a page for a person, JSON for an API's client, else a line.

    Args:
        way_back: HTML below the sentence.
    """
    said = sentence[:1].upper() + sentence[1:]
    if request.is_navigation:
        return page(status, title, f"<p>{escape(said)}</p>{way_back}")
    if request.path.startswith("/api/"):
        return as_json(status, {"detail": said, "message": said})
    return Answer(status, f"{said}\n".encode())


def same_address(request: Request) -> str:
    """A link to the very page, for who came by a link elsewhere: then the browser leaves the cookie out."""
    if request.header("sec-fetch-site") in ("cross-site", "same-site"):
        query = f"?{request.query}" if request.query else ""
        address = escape(request.raw_path.decode("latin-1") + query, quote=True)
        return f'<p>Opened it before? <a href="{address}">Go on</a></p>'
    return ""


def rounds(status: int, projects: Sequence[Mapping[str, Any]], sentence: str = "") -> Answer:
    """An annotator's own list of rounds.

    Args:
        projects: as Label Studio lists them. sentence: why this page comes in place of another.
    """
    said = f"<p>{escape(sentence)}</p>" if sentence else ""
    links = "".join(
        f'<li><a href="/projects/{int(number)}/data?labeling=1">{escape(str(title or "Round"))}</a></li>'
        for number, title in ((project["id"], project.get("title")) for project in projects)
    )
    listed = f"<ul>{links}</ul>" if links else "<p>There is no open round now.</p>"
    return page(status, "Your rounds", f'{said}{listed}<p><a href="/logout">Sign out</a></p>')


def injected_file(folder: Path | None, name: str) -> Path | None:
    """A file for the label stream; None where the folder has none of this name."""
    path = folder / name if folder is not None and name in INJECTED else None
    return path if path is not None and path.is_file() else None


def mlflow_script() -> Answer:
    """What MLflow's page finds in the browser at a first visit."""
    content = Path(__file__).with_name(MLFLOW_SCRIPT).read_bytes()
    return Answer(200, content, "text/javascript; charset=utf-8")


def with_mlflow_script(html: bytes) -> bytes:
    """MLflow's page with our script, which runs before MLflow's own: that one is deferred."""
    return _in_head(html, f'<script src="{OWN_FOLDER}{MLFLOW_SCRIPT}"></script>'.encode())


def with_annotator_page(html: bytes, folder: Path | None) -> bytes:
    """The label stream's page with our style and script.

    They are files of the same server, which every content policy of Label Studio's allows: none is loosened.
    """
    tags = b""
    if injected_file(folder, "annotator_page.css"):
        tags += b'<link rel="stylesheet" href="/selvedge/annotator_page.css">'
    if injected_file(folder, "annotator_page.js"):
        tags += b'<script defer src="/selvedge/annotator_page.js"></script>'
    return _in_head(html, tags)


def _in_head(html: bytes, tags: bytes) -> bytes:
    at = html.lower().find(b"</head>")
    return html if at < 0 else html[:at] + tags + html[at:]
