"""Who is let in: the right Host, no other site behind the request, JSON for Dagster, the token of the home.

Belongs here: decisions about one request, from its headers. Not here: what an annotator reaches (annotators.py).

A browser sends any page's requests to 127.0.0.1. It cannot forge Host, Origin and Sec-Fetch-Site, and does not send a
`SameSite=Strict` cookie for another site; each is asked for, since each has had holes. `localhost:8080` is the same
site as `localhost:3000`, hence same-origin is demanded.
"""

from infra.proxy.door import Door, cookie_name, cookie_value, same
from infra.proxy.messages import Request, host_of

OPEN_THE_LINK = "open the link that `selvedge up` prints"
BY_PROGRAM = "`Authorization: Bearer TOKEN`, which MLflow's client makes of MLFLOW_TRACKING_TOKEN"
BEARER = "Bearer "
LABEL_STUDIO_TOKEN = "Token "
OWNER_HEADER = "selvedge-owner"  # of our client on sign-up forms, which take no token of Label Studio's
NO_PAGE_SITES = ("", "same-origin", "none")


def malformed(door: Door, request: Request) -> str:
    """Why a request cannot be trusted to mean what it says; empty when it can."""
    if request.header("host") == "" or len(request.all("host")) != 1 or request.host not in door.allowed_hosts:
        return f"{door.title} answers to {', '.join(sorted(door.allowed_hosts))} and to no other host."
    if not request.path.startswith("/") or request.path.startswith(("//", "/\\")):
        return "the address is not one of this server."
    if any(part in (".", "..") for part in request.path.replace("\\", "/").split("/")):
        return "the address has dots for a folder."
    return ""


def from_elsewhere(request: Request) -> str:
    """Why a request comes from another page than one of this server; empty when it does not."""
    origins, site = request.all("origin"), request.header("sec-fetch-site").lower()
    wrong_origin = any(host_of(origin) != request.host for origin in origins)
    if request.changes and (wrong_origin or site not in NO_PAGE_SITES):
        return "another page sent this request; go to this server's own page."
    framed = request.header("sec-fetch-dest").lower() in ("iframe", "frame", "embed", "object", "fencedframe")
    if site not in NO_PAGE_SITES and (framed or request.header("sec-fetch-mode").lower() != "navigate"):
        return "another page asked for this; go to this server's own page."
    return ""


def wrong_form(door: Door, request: Request) -> str:
    """Why Dagster must not be handed this: it executes what a form or an address asks. Empty when it may."""
    if door.service != "dagster" or request.websocket:
        return ""
    if request.method in ("POST", "PUT", "PATCH", "DELETE") and not request.is_json:
        return "Dagster is asked in JSON; send Content-Type: application/json."
    if "graphql" in request.path.lower() and "query" in request.parameters:
        return "Dagster is asked in the body of a POST, not in the address."
    return ""


def has_token(door: Door, request: Request) -> bool:
    """Does the request prove that it is this home's owner's? By cookie, or as `Authorization: Bearer TOKEN`.

    A cookie alone is not enough for a change: a browser also says where the request comes from.
    """
    token = door.token()
    if given := bearer(request):
        return same(given, token)
    proven = bool(token) and same(request.cookie(cookie_name(token)), cookie_value(token))
    return proven and (not request.changes or bool(request.header("origin") or request.header("sec-fetch-site")))


def is_administrator(door: Door, request: Request) -> bool:
    """Does it carry the token of Label Studio's administrator?"""
    _, token = door.administrator()
    authorization = request.header("authorization")
    named = authorization.removeprefix(LABEL_STUDIO_TOKEN) if authorization.startswith(LABEL_STUDIO_TOKEN) else ""
    return same(named.strip(), token) or same(request.header(OWNER_HEADER).strip(), token)


def bearer(request: Request) -> str:
    authorization = request.header("authorization")
    return authorization.removeprefix(BEARER).strip() if authorization.startswith(BEARER) else ""


def cookie_header(token: str) -> bytes:
    """What `up`'s link leaves in the browser for thirty days."""
    return f"{cookie_name(token)}={cookie_value(token)}; Path=/; Max-Age=2592000; HttpOnly; SameSite=Strict".encode()
