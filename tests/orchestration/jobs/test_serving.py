"""Serving: what the settings make of a service, who its champions are, and the commands about keys."""

import json
import socket
from types import SimpleNamespace

import pytest

from catalog.errors import SelvedgeError, ServiceUnavailable
from inference.service.champions import ATTRIBUTES, RANKER, Champions
from inference.service.keys import Keys
from inference.service.making import Order
from orchestration.cli.main import run
from orchestration.families.settings import load_settings
from orchestration.jobs import serving
from tests.inference.ad_images.shop import BAG
from tests.inference.service.shop import a_catalogue


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("SELVEDGE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SELVEDGE_AD_SIZE", "256")
    return load_settings()


def test_keys_are_made_listed_and_taken_away(settings, capsys):
    assert run(["serve", "key", "add", "web-shop", "--may", "attributes, descriptions", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["rights"] == ["attributes", "descriptions"] and made["key"].startswith("selvedge_")
    database = settings.home / "service.db"
    assert database.stat().st_mode & 0o077 == 0 and made["key"].encode() not in database.read_bytes()
    assert run(["serve", "key", "list", "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)["keys"]
    assert listed["name"] == "web-shop" and listed["created"].startswith("20") and "key" not in listed
    for arguments, words in [
        (["add", "web-shop"], "web-shop has a key"),
        (["add", "studio"], "choose another name"),
        (["add", "b", "--may", "all"], "choose from ads"),
        (["remove", "nobody"], "nobody has no key"),
    ]:
        assert run(["serve", "key", *arguments]) == 1
        assert words in capsys.readouterr().err
    assert run(["serve", "key", "remove", "web-shop"]) == 0
    assert serving.open_keys(settings).all() == []


def test_a_port_that_is_taken_and_a_folder_without_a_model_are_a_sentence_each(settings, tmp_path, capsys):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        assert run(["serve", "--port", str(other.getsockname()[1])]) == 1
    assert "choose another with --port" in capsys.readouterr().err
    assert run(["serve", "--model", str(tmp_path)]) == 1
    assert "holds no model of attributes" in capsys.readouterr().err
    assert run(["serve", "--port", "0", "--catalog", str(tmp_path / "nothing")]) == 1
    assert "nothing" in capsys.readouterr().err


def test_a_database_of_another_kind_is_refused_without_its_password(monkeypatch, settings):
    monkeypatch.setenv("SELVEDGE_SERVICE_DATABASE", "mysql://anna:pa55@db/x")
    with pytest.raises(SelvedgeError, match="SELVEDGE_SERVICE_DATABASE") as caught:
        load_settings()
    assert "pa55" not in str(caught.value)
    monkeypatch.setenv("SELVEDGE_SERVICE_DATABASE", "postgresql://anna:pa55@db/x")
    assert load_settings().service_uri.endswith("pa55@db/x") and "pa55" not in repr(load_settings())


def test_the_studio_has_the_same_key_at_every_start(settings):
    keys = serving.open_keys(settings)
    key = serving.studio_key(settings, keys)
    assert serving.studio_key(settings, keys) == key and keys.client_of(key).name == serving.STUDIO


def test_champions_are_those_of_ledger_and_registry_and_looked_up_again(settings, tmp_path, monkeypatch):
    resolvers = serving.resolvers(settings, None)
    with pytest.raises(SelvedgeError, match="blip2-attributes has no champion yet"):
        resolvers[ATTRIBUTES]()
    assert resolvers[RANKER]() is None and not (settings.home / "ledger.db").exists()

    promoted = {"blip2-attributes": 3}
    hashed = []

    class Registry:
        def __init__(self, of):
            assert of is settings

        def champion(self, family):
            if promoted[family] is None:
                raise ServiceUnavailable("MLflow does not answer; start `selvedge up`.")
            return SimpleNamespace(uri=f"models:/{family}/{promoted[family]}", version=promoted[family])

        def artefact_path(self, version):
            hashed.append(version.version)
            return tmp_path / str(version.version)

    settings.home.mkdir(exist_ok=True)
    (settings.home / "ledger.db").touch()
    ledger = SimpleNamespace(promotions=SimpleNamespace(champion=promoted.get))
    monkeypatch.setattr("orchestration.registry.ledger.open_ledger", lambda settings: ledger)
    monkeypatch.setattr("orchestration.registry.registry.Registry", Registry)
    loaded = []
    champions = Champions(resolvers, lambda folder: loaded.append(folder.name) or folder)
    champions.refresh()
    champions.refresh()
    assert (champions.attributes().champion.uri, loaded, hashed) == ("models:/blip2-attributes/3", ["3"], [3])
    promoted["blip2-attributes"] = 4
    promoted["ad-ranker"] = 1
    champions.refresh()
    assert champions.attributes().champion.uri == "models:/blip2-attributes/4" and loaded == ["3", "4"]
    assert champions.named()[RANKER].folder == tmp_path / "1"
    promoted["blip2-attributes"] = 0
    monkeypatch.setitem(promoted, "ad-ranker", 1)
    monkeypatch.setattr(Registry, "champion", lambda self, family: (_ for _ in ()).throw(ServiceUnavailable("gone.")))
    champions.refresh()
    assert champions.attributes().champion.uri == "models:/blip2-attributes/4" and champions.troubles[RANKER] == "gone."
    assert serving.resolvers(settings, tmp_path / "m")[ATTRIBUTES]().uri == f"file://{tmp_path / 'm'}"


def test_a_service_and_its_worker_are_built_as_the_settings_say(settings, tmp_path):
    catalogue = a_catalogue(tmp_path)
    champions = Champions({}, lambda folder: folder)
    with serving.audit_log(settings) as audit:
        service = serving.build(settings, serving.Offered(catalogue), champions, audit, lambda: 2)
        service.audit({"client": "shop", "status": 200})
    assert '{"client": "shop", "status": 200}' in (settings.logs / "service-audit.log").read_text()
    assert service.defaults.size == (256, 256) and service.products.count() == 1 and service.readiness()["workers"] == 2
    assert isinstance(service.keys, Keys) and service.root == serving.files_of(settings)
    order = Order("a--b", "", "", None, None, "studio", "main_image", (1024, 1024), 0, "refuse")
    maker = serving.maker_of(settings, service.products, order)
    assert maker.pipeline.brand.asks_for_white and str(maker.store._root).endswith("objects/service/ads")
    assert service.products.find(BAG).product.title == "Northwind Women Olive Handbag"
