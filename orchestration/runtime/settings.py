"""Settings: what may be set from outside, its defaults, and every path that follows from them.

Belongs here: one typed object read from `SELVEDGE_…` environment variables. Not here: how a model is trained (those are
YAML files beside the data) and anything an algorithm needs to know; paths are built here and passed in.

A misspelt setting is refused: silently running with a default is how a catalogue ends up in the wrong bucket.
"""

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict
from upath import UPath

from catalog.errors import SelvedgeError
from orchestration.runtime import addresses, postgres
from orchestration.runtime.operator_settings import SECRETS, OperatorSettings

PREFIX = "SELVEDGE_"
LOCAL, OFF = "local", "off"  # of `label_studio`; anything else is an address
# Read where it is used, by training, which may run on a machine that has no settings object.
READ_BY_TRAINING = {"MODELS": "folder of base weights; the project's own models/ by default"}
READ_BY_TESTS = frozenset({"PHOTOGRAPHS", "TEST_POSTGRES"})  # and by benchmarks
# never repeated
WITH_PASSWORDS = (
    *("mlflow_database", "label_studio_database", "ledger", "ad_rows", "label_studio_token", "evidence_key"),
    "service_database",
    *SECRETS,
)
SHORTEST_KEY = 32  # characters
DAGSTER = "dagster"  # folder of its instance, in the home
FAMILY_SETTINGS = "family_settings"  # read as one variable a family

Port = Annotated[int, Field(ge=1, le=65535)]


class Settings(OperatorSettings):
    """Every setting; `SELVEDGE_HOME=/data/selvedge` sets `home`, and so on."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    home: Path = Field(Path(".selvedge"), description="folder of all local state")
    storage: str | None = Field(None, description="where tables and objects live, e.g. s3://bucket/selvedge")
    inbox: UPath = Field(
        default_factory=lambda values: UPath(values["home"] / "inbox"),
        description="folder or s3://bucket/prefix whose folders become drops by themselves; in home by default",
    )
    threads: Annotated[int, Field(ge=1)] | None = Field(None, description="processor threads; all cores by default")

    ray_address: str | None = Field(
        None, description="the Ray cluster, HEAD:6379 as this machine joined it; local starts one here"
    )
    compute: Literal["local", "ray"] = Field(
        "local", description="where attributes of drops are computed: in the run's process, or on a Ray cluster"
    )

    tracking_uri: str | None = Field(None, description="a tracking server of yours; none is started then")
    mlflow_port: Port = Field(5050, description="port of the local MLflow server")
    mlflow_database: str | None = Field(None, description="SQLAlchemy URI of MLflow's database; SQLite by default")
    mlflow_artifacts: str | None = Field(None, description="where logged models are kept, e.g. s3://bucket/mlflow")
    dagster_port: Port = Field(3000, description="port of the Dagster web server")

    label_studio: str = Field(LOCAL, description="local, off, or the address of your team's Label Studio")
    label_studio_port: Port = Field(8080, description="port of the local Label Studio")
    label_studio_hosts: str | None = Field(
        None, description="further host names of the local Label Studio, e.g. labels.shop.example,10.0.0.5:8080"
    )
    label_studio_database: str | None = Field(
        None, description="PostgreSQL or SQLite URI of the local Label Studio's database; SQLite by default"
    )
    label_studio_environments: Path | None = Field(
        None, description="folder of Label Studio's virtual environment, for several homes to share; in home by default"
    )
    label_studio_token: SecretStr | None = Field(None, description="access token for your team's Label Studio")
    label_studio_token_file: Path | None = Field(None, description="a file that holds that token, instead")
    ledger: SecretStr | None = Field(
        None, description="SQLAlchemy URI of the ledger of reviews; SQLite in home by default"
    )
    evidence_key: SecretStr | None = Field(
        None,
        description="key that signs evidence, one for all machines that share storage; a file in home by default",
    )

    review_items: Annotated[int, Field(ge=1)] = Field(
        120, description="test products in a blind round; controls are added"
    )
    review_overlap: Annotated[int, Field(ge=1)] = Field(3, description="ballots asked for each pair of a round")
    simulated_ballots: bool = Field(
        False, description="let scripted annotators' ballots promote a model, stamped as such; the demo sets it"
    )

    drift_false_alarms: Annotated[float, Field(gt=0, le=0.5)] = Field(
        0.05, description="share of drops like the earlier ones that may be said to differ from them, for each check"
    )
    retrain: bool = Field(False, description="train again by itself when the policy says so; off, it only says so")
    retrain_products: Annotated[int, Field(ge=0)] = Field(
        1000, description="new products after which a family is trained again; 0: never for that reason"
    )
    retrain_alarms: Annotated[int, Field(ge=1)] = Field(
        2, description="drops that a check must find to differ, the newest among them, before a family is trained again"
    )
    retrain_window: Annotated[int, Field(ge=1)] = Field(
        3, description="of how many of the newest drops, at least as many"
    )

    handsoff: Path | None = Field(
        None, description="a YAML file: the few labelled pictures that HandsOff makes many from; its assets need it"
    )

    writer: Literal["grammar", "bedrock", "local"] = Field("grammar", description="who writes descriptions first")
    writer_folder: Path | None = Field(None, description="folder of a causal language model, for the local writer")
    bedrock_model: str | None = Field(None, description="model or inference-profile id, for the Bedrock writer")
    bedrock_region: str = Field("us-east-1", description="AWS region of the Bedrock writer")
    bedrock_max_tokens: Annotated[int, Field(ge=0)] = Field(1_000_000, description="tokens one run may use")
    bedrock_max_usd: Annotated[float, Field(ge=0)] = Field(5.0, description="US dollars one run may spend")
    bedrock_usd_per_1k_in: Annotated[float, Field(ge=0)] = Field(0.003, description="price of 1,000 input tokens")
    bedrock_usd_per_1k_out: Annotated[float, Field(ge=0)] = Field(0.015, description="price of 1,000 output tokens")

    ad_products: Annotated[int, Field(ge=0)] = Field(
        24, description="products of a drop that ads are made of, in turn from every article type; 0 makes none"
    )
    ad_themes: str | None = Field(
        None, description="themes of the ads of every product, with commas; the one that fits it by default"
    )
    ad_backdrop: Literal["studio", "photographs", "diffusers", "bedrock"] = Field(
        "studio", description="who paints the backgrounds of ads"
    )
    ad_weights: Path | None = Field(None, description="folder of an inpainting pipeline, for the diffusers backdrop")
    ad_library: str | None = Field(
        None, description="folder or bucket of photographs with their licences, for the photographs backdrop"
    )
    ad_brand: str = Field("lifestyle", description="guidelines of ads: lifestyle, main_image, or a YAML file")
    ad_guardrails: Literal["local", "comprehend", "bedrock"] = Field(
        "local", description="who reads prompts and photographs before any work; the local one always does"
    )
    ad_guardrail: str | None = Field(None, description="id:version of a Bedrock guardrail that is applied, too")
    ad_segmenter: str = Field(
        "champion",
        description="who cuts out before a backdrop that is not plain: the champion of segmenters (nobody before there "
        "is one), bedrock, an ONNX file, or none",
    )
    ad_on_model: Literal["refuse", "keep"] = Field(
        "refuse", description="apparel photographed on a person: no ad, or one in which the whole person is kept"
    )
    ad_words: Literal["rules", "bedrock"] = Field(
        "rules", description="who takes the prompts of ads apart and writes their captions"
    )
    ad_sizes: Literal["rules", "bedrock"] = Field("rules", description="who says how large a product is shown in ads")
    ad_judge: Literal["none", "champion", "bedrock"] = Field(
        "none",
        description="who answers a brand's questions about finished ads: nobody, the attributes' champion, Bedrock",
    )
    ad_model: str | None = Field(
        None, description="model id on Bedrock for words, sizes and judge of ads; SELVEDGE_BEDROCK_MODEL by default"
    )
    ad_rows: SecretStr | None = Field(
        None,
        description="where the rows of ads are kept: dynamodb:TABLE, or a database's URI; SQLite in home by default",
    )
    ad_size: Annotated[int, Field(ge=256, le=2048, multiple_of=64)] = Field(
        512, description="width and height of ads in pixels, a multiple of 64"
    )

    service_port: Port = Field(8090, description="port of the request API and its ad studio")
    service_workers: Annotated[int, Field(ge=1, le=64)] = Field(
        1, description="processes that make the ads that are asked for over the request API"
    )
    service_database: SecretStr | None = Field(
        None, description="URI of the database of keys and requests of the request API; SQLite in home by default"
    )

    demo_products: Annotated[int, Field(ge=50)] = Field(3600, description="products of the demo's first drop")
    demo_new_products: Annotated[int, Field(ge=1)] = Field(60, description="products of the demo's second drop")
    demo_seed: int = Field(7, description="seed of the demo's drawn catalogue")
    cnn_seconds: Annotated[int, Field(ge=0)] = Field(
        100, description="seconds for the end-to-end ceiling beside candidates; 0 leaves it out"
    )
    family_settings: Mapping[str, Path] = Field(
        default_factory=dict, description="YAML files with the training settings of families, by the family's name"
    )

    @field_validator(
        "home",
        "handsoff",
        "writer_folder",
        "ad_weights",
        "label_studio_environments",
        "label_studio_token_file",
    )
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        # Child processes (MLflow, Dagster) have working directories of their own.
        return None if path is None else path.expanduser().resolve()

    @field_validator("family_settings")
    @classmethod
    def _absolute_files(cls, files: Mapping[str, Path]) -> dict[str, Path]:
        return {family: file.expanduser().resolve() for family, file in files.items()}

    @field_validator("label_studio")
    @classmethod
    def _somewhere(cls, value: str) -> str:
        if value not in (LOCAL, OFF) and not value.startswith(("http://", "https://")):
            raise ValueError("it is local, off, or an address that begins with http:// or https://")
        parts = urlsplit(value)
        if "@" in parts.netloc:
            raise ValueError("it is an address without user and password; `selvedge review login` stores a token")
        if parts.scheme and not (parts.hostname and parts.port != 0):  # asking for a port that cannot be raises, too
            raise ValueError("it lacks the server's name; write it like http://127.0.0.1:8080")
        page = parts.path.find("/projects")  # an address that was copied while a project was open
        path = parts.path[:page] if page >= 0 else parts.path
        return urlunsplit((parts.scheme, parts.netloc, path, "", "")).rstrip("/") if parts.scheme else value

    @field_validator("label_studio_hosts")
    @classmethod
    def _host_names(cls, value: str | None) -> str | None:
        names = [name.strip().lower() for name in (value or "").split(",") if name.strip()]
        for name in names:
            if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?", name):
                raise ValueError("it is host names as browsers show them, with a port where they show one, and commas")
        return ",".join(names) or None

    @field_validator("retrain_window")
    @classmethod
    def _as_wide(cls, window: int, field: ValidationInfo) -> int:
        alarms = field.data.get("retrain_alarms", 1)
        if window < alarms:
            raise ValueError(f"of {window} drops no {alarms} can differ; it is at least SELVEDGE_RETRAIN_ALARMS")
        return window

    @field_validator("evidence_key")
    @classmethod
    def _hard_to_guess(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and len(key.get_secret_value()) < SHORTEST_KEY:
            raise ValueError(
                f"it has fewer than {SHORTEST_KEY} characters; `openssl rand -hex 32` makes one that nobody guesses"
            )
        return key

    @field_validator("ray_address")
    @classmethod
    def _cluster(cls, address: str | None) -> str | None:
        return addresses.cluster(address) if address else None

    @field_validator("compute")
    @classmethod
    def _computing(cls, compute: str, field: ValidationInfo) -> str:
        if compute == "ray":
            addresses.require_ray(field.data.get("ray_address"))
        return compute

    @field_validator("storage", "mlflow_artifacts")
    @classmethod
    def _readable(cls, uri: str | None, field: ValidationInfo) -> str | None:
        addresses.require_packages(uri or "", *(["dagster_aws"] if field.field_name == "storage" else []))
        return uri

    @field_validator("inbox", mode="before")
    @classmethod
    def _inbox(cls, value: Any) -> Any:
        return addresses.inbox(value)

    @field_validator("storage", "tracking_uri", "mlflow_artifacts")
    @classmethod
    def _without_slash(cls, uri: str | None) -> str | None:
        return uri.rstrip("/") if uri else None

    @field_validator("storage", "mlflow_artifacts")
    @classmethod
    def _place(cls, uri: str | None) -> str | None:
        return addresses.place(uri) if uri else None

    @field_validator("home", mode="before")
    @classmethod
    def _folder(cls, path: Any) -> Any:
        return addresses.folder(Path(path)) if isinstance(path, str | Path) else path

    @field_validator("tracking_uri")
    @classmethod
    def _server(cls, uri: str | None) -> str | None:
        return addresses.server(uri) if uri else None

    @field_validator("mlflow_database", "label_studio_database")
    @classmethod
    def _database(cls, uri: str | None) -> str | None:
        return addresses.database(uri) if uri else None

    @field_validator("ad_segmenter")
    @classmethod
    def _segmenter(cls, value: str) -> str:
        return addresses.segmenter(value)

    @field_validator("ad_rows")
    @classmethod
    def _rows(cls, value: SecretStr | None) -> SecretStr | None:
        return SecretStr(addresses.rows(value.get_secret_value())) if value and value.get_secret_value() else None

    @field_validator("service_database")
    @classmethod
    def _requests(cls, value: SecretStr | None) -> SecretStr | None:
        text = value.get_secret_value() if value else ""
        if text and not text.startswith(("sqlite:///", "postgresql")):
            raise ValueError("it is a URI like postgresql://user@host/name or sqlite:////path/service.db")
        return SecretStr(addresses.database(text)) if text else None

    @property
    def root(self) -> UPath:
        """Where tables and objects live: `storage`, or `home` when that is not set."""
        return UPath(self.storage) if self.storage else UPath(self.home)

    def tables(self) -> UPath:
        return self.root / "tables"

    def objects(self) -> UPath:
        return self.root / "objects"

    def rounds(self) -> UPath:
        """One folder a blind round: what it compares, as it was shown."""
        return self.objects() / "rounds"

    def round_report(self, round_id: str) -> Path:
        """The page of a judged round, where nobody names another place."""
        return self.home / "reports" / f"{round_id}.html"

    @property
    def inbox_folder(self) -> Path | None:
        """The inbox where it is no bucket."""
        return Path(self.inbox.path) if self.inbox.protocol in ("", "file", "local") else None

    @property
    def label_requests(self) -> Path:
        """What people were asked to draw labels on, a record each."""
        return self.home / "label-requests"

    def features(self) -> Path:
        """The feature cache: always on this machine's disk, as it is mapped into memory and can be computed again."""
        return self.home / "features"

    @property
    def dagster_home(self) -> Path:
        return self.home / DAGSTER

    @property
    def mlflow_home(self) -> Path:
        return self.home / "mlflow"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def secrets(self) -> Path:
        return self.home / "secrets"

    @property
    def work(self) -> Path:
        """Folders a resumable job writes before it publishes; may be deleted when nothing runs."""
        return self.home / "work"

    @property
    def mlflow_database_uri(self) -> str:
        return self.mlflow_database or self._part(postgres.MLFLOW) or f"sqlite:///{self.mlflow_home / 'mlflow.db'}"

    @property
    def mlflow_artifact_root(self) -> str:
        return self.mlflow_artifacts or str(self.mlflow_home / "artifacts")

    @property
    def mlflow_uri(self) -> str:
        """Where clients find the tracking server."""
        return self.tracking_uri or f"http://127.0.0.1:{self.mlflow_port}"

    @property
    def dagster_uri(self) -> str:
        return f"http://127.0.0.1:{self.dagster_port}"

    @property
    def label_studio_home(self) -> Path:
        return self.home / "label-studio"

    @property
    def label_studio_uri(self) -> str | None:
        """Where annotators find Label Studio; None when it is off."""
        if self.label_studio == LOCAL:
            return f"http://127.0.0.1:{self.label_studio_port}"
        return None if self.label_studio == OFF else self.label_studio

    @property
    def ad_rows_uri(self) -> str:
        """Where the rows of ads are kept, with a password if it has one; never to be shown."""
        return self.ad_rows.get_secret_value() if self.ad_rows else f"sqlite:///{self.home / 'ads.db'}"

    @property
    def service_uri(self) -> str:
        """The database of the request API, with its password; never to be shown."""
        return (
            self.service_database.get_secret_value() if self.service_database else f"sqlite:///{self.home}/service.db"
        )

    @property
    def ledger_uri(self) -> str:
        """The ledger's database, with its password; never to be shown."""
        if self.ledger is not None:
            return self.ledger.get_secret_value()
        return self._part(postgres.LEDGER) or f"sqlite:///{self.home / 'ledger.db'}"

    @property
    def ledger_in_home(self) -> bool:
        """Is the ledger a file of this home?"""
        return self.ledger is None and self.postgres_uri is None

    @property
    def label_studio_database_uri(self) -> str | None:
        """The local Label Studio's database; None for SQLite in its folder."""
        return self.label_studio_database or self._part(postgres.LABEL_STUDIO)

    @property
    def dagster_database_uri(self) -> str | None:
        """Dagster's database; None for SQLite files in its folder."""
        return self._part(postgres.DAGSTER, postgres.PSYCOPG2)

    @property
    def postgres_uri(self) -> str | None:
        """The home's PostgreSQL database, with its password; never to be shown. None for SQLite.

        Raises:
            SelvedgeError: the file that holds it cannot be read.
        """
        return postgres.address(self.postgres, self.postgres_file, self.home)

    def _part(self, schema: str, driver: str = postgres.PSYCOPG) -> str | None:
        uri = self.postgres_uri
        return None if uri is None else postgres.in_schema(uri, schema, driver)


def read_settings(family_fields: Mapping[str, str], **overrides: Any) -> Settings:
    """Settings from the environment, with `overrides` (field names) on top.

    Args:
        family_fields: further setting, without prefix, to the family whose entry of `family_settings` it is.

    Raises:
        SelvedgeError: a setting is unknown or its value does not fit; one sentence names it.
    """
    environment = {name.upper(): value for name, value in os.environ.items()}
    _refuse_unknown(set(os.environ), family_fields)
    files = {
        family: Path(file) for field, family in family_fields.items() if (file := environment.get(variable_of(field)))
    }
    try:
        return Settings(**{"family_settings": files, **overrides})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        value = repr(first.get("input"))
        if name in WITH_PASSWORDS or re.search(r"//[^/]*@", value):
            value = "what it is set to"
        raise SelvedgeError(f"setting {variable_of(name)} cannot be {value}: {_lower_first(first['msg'])}.") from error


def _refuse_unknown(environment: set[str], family_fields: Mapping[str, str]) -> None:
    fields = {*Settings.model_fields, *family_fields} - {FAMILY_SETTINGS}
    settings = {name.upper() for name in fields} | set(READ_BY_TRAINING)
    for variable in sorted(environment):
        name = variable.upper().removeprefix(PREFIX)
        if name != variable.upper() and name not in settings | READ_BY_TESTS:
            close = difflib.get_close_matches(name, sorted(settings), n=1)
            remedy = (
                f"did you mean {PREFIX}{close[0]}?" if close else f"there are {PREFIX}{{{','.join(sorted(settings))}}}."
            )
            raise SelvedgeError(f"setting {variable} is unknown; {remedy}")


def variable_of(field: str) -> str:
    return f"{PREFIX}{field.upper()}"


def _lower_first(text: str) -> str:
    text = text.removeprefix("Value error, ")
    return text[:1].lower() + text[1:].rstrip(".")
