"""Who is let in to Dagster and MLflow, and how a request looks that is."""

import asyncio
import importlib.util
import re
import stat
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from infra.proxy.door import cookie_name, cookie_value, ensure_token, inner_host, inner_secret
from orchestration.runtime.dagster_webserver import BehindTheProxy
from tests.infra.proxy.behind_a_door import INNER, PORT, Entrance, plain

PAGE = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}
JSON = {"query": "{ version }"}


@pytest.fixture
def dagster(tmp_path):
    return Entrance(tmp_path, "dagster")


@pytest.fixture
def mlflow(tmp_path):
    return Entrance(tmp_path, "mlflow")


def cookie(entrance):
    return f"{cookie_name(entrance.token)}={cookie_value(entrance.token)}"


def from_own_page(entrance):
    return {"Cookie": cookie(entrance), "Origin": f"http://127.0.0.1:{PORT}", "Sec-Fetch-Site": "same-origin"}


def one_sentence(answer):
    return answer.text.strip().endswith(".") and "\n" not in answer.text.strip() and "Traceback" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1"},
        {"Host": f"127.0.0.1.evil.example:{PORT}"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:8080"},
        {"Origin": f"http://127.0.0.1:{PORT}@evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Authorization": "Bearer guessed"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic Z3Vlc3M6ZWQ="},
    ],
)
@pytest.mark.parametrize("service", ["dagster", "mlflow"])
def test_a_change_is_refused_with_one_sentence(service, headers, tmp_path):
    entrance = Entrance(tmp_path, service)
    answer = entrance.as_owner("POST", "/graphql", headers, json=JSON)
    assert answer.status_code == 403 and one_sentence(answer), answer.text


def test_without_the_token_nothing_is_shown_or_done(dagster, mlflow):
    for entrance in (dagster, mlflow):
        for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"):
            for path in ("/", "/graphql", "/server_info", "/api/2.0/mlflow/experiments/search", "/logs/1/2/stdout"):
                assert entrance.ask(method, path).status_code == 403
        page = entrance.ask("GET", "/runs/1", PAGE)
        assert "open the link that `selvedge up` prints" in page.text and page.headers["content-type"].startswith(
            "text/html"
        )


def test_the_link_leaves_a_cookie_and_not_the_token(dagster):
    answer = dagster.ask("GET", f"/runs?tab=x&token={dagster.token}", PAGE)
    assert (answer.status_code, answer.headers["location"]) == (303, "/runs?tab=x")
    kept = answer.headers["set-cookie"]
    assert "HttpOnly" in kept and "SameSite=Strict" in kept and dagster.token not in kept
    assert dagster.ask("GET", "/runs", {**PAGE, "Cookie": kept.partition(";")[0]}).status_code == 200
    for wrong in (f"/?token={dagster.token}x", "/?token=guessed"):
        refused = dagster.ask("GET", wrong, PAGE)
        assert refused.status_code == 403 and "set-cookie" not in refused.headers


def test_who_comes_by_a_link_elsewhere_is_shown_the_way_on(dagster):
    answer = dagster.ask("GET", '/runs/1?a="><script>', {**PAGE, "Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403 and 'href="/runs/1?a=' in answer.text and "<script>" not in answer.text


def test_by_cookie_pages_and_their_own_requests_pass(dagster):
    assert dagster.ask("GET", "/assets", {**PAGE, "Cookie": cookie(dagster)}).status_code == 200
    assert dagster.ask("POST", "/graphql", from_own_page(dagster), json=JSON).status_code == 200
    # A browser says where a change comes from; who says nothing proves nothing by a cookie.
    assert dagster.ask("POST", "/graphql", {"Cookie": cookie(dagster)}, json=JSON).status_code == 403


@pytest.mark.parametrize("destination", ["iframe", "frame", "embed", "object"])
def test_no_other_page_frames_it(destination, dagster):
    headers = {**PAGE, "Cookie": cookie(dagster), "Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": destination}
    assert dagster.ask("GET", "/assets", headers).status_code == 403


def test_no_other_page_reads_or_loads_anything(dagster):
    headers = {"Cookie": cookie(dagster), "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}
    assert dagster.ask("GET", "/logs/1/2/stdout", headers).status_code == 403


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/graphql", "", "text/json"]
)
def test_dagster_is_asked_in_json_only(kind, dagster, mlflow):
    headers = {"Content-Type": kind} if kind else {}
    for path in ("/graphql", "/graphql?query=mutation", "/report_asset_materialization/a"):
        answer = dagster.as_owner("POST", path, headers, content=b"{}")
        assert answer.status_code == 415 and one_sentence(answer)
    assert mlflow.as_owner("PUT", "/api/2.0/mlflow-artifacts/artifacts/a", headers, content=b"x").status_code == 200


@pytest.mark.parametrize("path", ["/graphql?query=mutation{}", "/graphql/?a=1&query={version}", "/GraphQL?query="])
def test_dagster_is_not_asked_by_an_address(path, dagster):
    assert dagster.as_owner("GET", path).status_code == 415


@pytest.mark.parametrize(
    "path", ["//evil.example/a", "/a/../b", "/a/%2e%2e/b", "/a/%2E%2E%2fb", "/.", "/%5cevil.example"]
)
def test_an_address_that_could_be_read_in_two_ways_is_refused(path, dagster):
    async def bare(scope_path):
        sent = []

        async def send(message):
            sent.append(message)

        from urllib.parse import unquote

        scope = {
            "type": "http",
            "method": "GET",
            "path": unquote(scope_path),
            "raw_path": scope_path.encode(),
            "query_string": b"",
            "headers": [
                (b"host", f"127.0.0.1:{PORT}".encode()),
                (b"authorization", f"Bearer {dagster.token}".encode()),
            ],
        }
        await dagster.proxy(scope, None, send)
        return sent[0]["status"]

    assert asyncio.run(bare(path)) == 403


def test_the_service_gets_no_secret_and_nothing_that_a_proxy_may_claim(mlflow):
    headers = {
        "Cookie": f"a=1; {cookie(mlflow)}; b=2",
        "X-Forwarded-Host": "evil.example",
        "X-HTTP-Method-Override": "DELETE",
        "Connection": "keep-alive, X-Private",
        "X-Private": "1",
        "Accept": "text/plain",
    }
    told = mlflow.as_owner("PUT", "/a%2Fb?c=d%20e", headers, content=b"\x00bytes").json()
    assert (told["path"], told["query"], told["body"]) == ("/a%2Fb", "c=d%20e", "\x00bytes")
    assert told["headers"]["cookie"] == "a=1; b=2" and told["headers"]["accept"] == "text/plain"
    assert not {"authorization", "x-forwarded-host", "x-http-method-override", "x-private"} & told["headers"].keys()


def test_anothers_authorization_is_passed_on(tmp_path):
    entrance = Entrance(tmp_path, "label-studio")
    headers = {"Authorization": f"Token {'a' * 40}"}
    assert entrance.ask("GET", "/api/import", headers).json()["headers"]["authorization"] == headers["Authorization"]


def test_hop_by_hop_headers_stay_behind(mlflow):
    answer = mlflow.as_owner("GET", "/")
    assert answer.status_code == 200 and "x-hop" not in answer.headers


@pytest.mark.parametrize("to", ["http://evil.example/", "//evil.example", "https://127.0.0.1:1/", "/\\evil.example"])
def test_no_redirect_leads_elsewhere(to, mlflow):
    answer = mlflow.as_owner("GET", f"/lead?to={to}")
    assert answer.status_code == 502 and "location" not in answer.headers


@pytest.mark.parametrize(
    ("to", "becomes"),
    [(f"http://127.0.0.1:{INNER}/a?b=c", "/a?b=c"), (f"http://localhost:{PORT}/a", "/a"), ("/a", "/a"), ("a?b", "a?b")],
)
def test_redirects_stay_on_the_public_address(to, becomes, mlflow):
    assert mlflow.as_owner("GET", "/lead", params={"to": to}).headers["location"] == becomes


def test_behind_its_proxy_dagster_answers_nobody_else(dagster):
    folder = dagster.door.secrets_folder
    guarded = BehindTheProxy(plain(), folder)

    async def asked(method, path, headers):
        transport = httpx.ASGITransport(guarded)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            return (await http.request(method, path, headers=headers)).status_code

    right = {"Selvedge-Inner": inner_secret(dagster.token)}
    wrong = ({}, {"Selvedge-Inner": ""}, {"Selvedge-Inner": dagster.token}, {"Selvedge-Inner": inner_secret("")})
    assert asyncio.run(asked("POST", "/graphql", right)) == 200
    assert asyncio.run(asked("GET", "/server_info", {})) == 200
    for headers in wrong:
        assert (
            asyncio.run(asked("POST", "/graphql", headers))
            == asyncio.run(asked("POST", "/server_info", headers))
            == 403
        )
    dagster.proxy._forward._http = httpx.AsyncClient(transport=httpx.ASGITransport(guarded))
    assert dagster.as_owner("POST", "/graphql", {"Selvedge-Inner": "x"}, json=JSON).status_code == 200
    (folder / "token").unlink()
    for headers in (*wrong, right):
        assert asyncio.run(asked("POST", "/graphql", headers)) == 403


def test_mlflow_is_told_a_host_that_no_browser_can_name(mlflow):
    told = mlflow.as_owner("GET", "/").json()["headers"]["host"]
    assert told == inner_host(mlflow.token) and mlflow.token not in told


def test_mlflow_s_page_opens_as_one_of_the_house(mlflow):
    page = b'<html><head><script defer="defer" src="main.js"></script></head><body></body></html>'
    served = Starlette(routes=[Route("/{rest:path}", lambda _: Response(page, headers={"ETag": "1"}))])
    mlflow.proxy._forward._http = httpx.AsyncClient(transport=httpx.ASGITransport(served))
    opened = mlflow.as_owner("GET", "/")
    assert b'<script src="/selvedge/mlflow_page.js"></script></head>' in opened.content and "etag" not in opened.headers
    assert mlflow.as_owner("GET", "/graphql").content == page
    script = mlflow.as_owner("GET", "/selvedge/mlflow_page.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert mlflow.ask("GET", "/selvedge/mlflow_page.js").status_code == 403
    # What is set must be what this MLflow reads: a key of another version would do nothing, without a word.
    keys = set(re.findall(r'"(mlflow\.[A-Za-z.]+)_v1"', script.text))
    built = Path(importlib.util.find_spec("mlflow").origin).parent / "server" / "js" / "build" / "static" / "js"
    for file in built.glob("*.js"):
        content = file.read_text(encoding="utf-8")
        keys -= {key for key in keys if f'"{key}"' in content}
    assert keys == set() and script.text.count("_v1") == 4


def test_health_needs_no_token(dagster, mlflow):
    assert dagster.ask("GET", "/selvedge/health").text == "ok\n"
    assert mlflow.ask("GET", "/health").status_code == 200
    assert dagster.ask("GET", "/health").status_code == 403


def test_a_service_that_is_away_is_named(mlflow):
    def gone(request):
        raise httpx.ConnectError("refused")

    mlflow.proxy._forward._http = httpx.AsyncClient(transport=httpx.MockTransport(gone))
    answer = mlflow.as_owner("GET", "/")
    assert answer.status_code == 502 and "MLflow does not answer now" in answer.text and one_sentence(answer)


def test_the_token_is_its_owners_to_read_and_stays(tmp_path):
    folder = tmp_path / "secrets"
    token = ensure_token(folder)
    place = folder / "token"
    assert stat.S_IMODE(place.stat().st_mode) == 0o600 and stat.S_IMODE(folder.stat().st_mode) == 0o700
    place.chmod(0o644)
    assert ensure_token(folder) == token and stat.S_IMODE(place.stat().st_mode) == 0o600
    assert [one.name for one in folder.iterdir()] == ["token"]
    place.write_text("")  # cut by a full disk: nobody is let in by an empty token
    assert len(ensure_token(folder)) > 40
    place.unlink()
    assert ensure_token(folder) != token


def test_a_home_without_a_token_lets_nobody_in(dagster):
    (dagster.door.secrets_folder / "token").unlink()
    empty = f"{cookie_name('')}={cookie_value('')}"
    for headers in ({"Authorization": "Bearer "}, {"Cookie": empty}, {"Authorization": f"Bearer {dagster.token}"}):
        assert dagster.ask("GET", "/", headers).status_code == 403
