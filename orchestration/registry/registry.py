"""The registry: model versions, where their files are, and which version an alias names.

Belongs here: registering a candidate's artefact with MLflow, looking versions up, resolving one to a folder. Not here:
moving the champion's alias (promotion.py), an artefact's format (training/), the pyfunc that answers (inference/, the
entry files).

An alias is looked up once and the version is pinned from then on (`models:/name/version`): a job that asked twice could
write half a table with each of two champions.
"""

import contextlib
import io
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from catalog.errors import SelvedgeError
from catalog.places import part_of, remove_parts
from infra.local.mlflow_artifacts import folder_of
from orchestration.registry.champion import agreed_version
from orchestration.registry.interface import CHAMPION, ModelVersionInfo, Served
from orchestration.registry.tracking import TrackedRun, client_of, git_sha, mlflow_errors_as_sentences
from orchestration.runtime.doors import let_in
from orchestration.runtime.installed_code import installed_code
from orchestration.runtime.settings import Settings
from training.artefact_file import folder_sha256, refuse_pickles

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel

CHALLENGER = "challenger"
PREVIOUS_CHAMPION = "previous_champion"

CANDIDATE_TAG = "selvedge.candidate"
DIGEST_TAG = "selvedge.digest"
RUN_TAG = "selvedge.run_id"
GATE_TAG = "selvedge.gate"  # what the last gate said of a version
ARTEFACT_KEY = "model"  # what an entry file finds in context.artifacts
PROXIED = "mlflow-artifacts:"  # the scheme of what the server keeps for its clients


class Registry:
    """Versions and aliases of one MLflow server."""

    def __init__(self, settings: Settings) -> None:
        """Raises: ServiceUnavailable: MLflow does not answer."""
        let_in(settings)
        self.uri = settings.mlflow_uri
        self.client: MlflowClient = client_of(self.uri)
        self._downloads = settings.home / "models"
        self.settings = settings  # of the home whose ledger records what the aliases do

    def register(
        self,
        family: str,
        candidate: str,
        artefact: Path,
        run: TrackedRun,
        metadata: Mapping[str, Any] | None = None,
        *,
        served: Served,
    ) -> ModelVersionInfo:
        """Log a candidate's artefact in its run and make it a version; it becomes the challenger.

        Registering the same candidate with the same files again gives the version there is: a rerun after a kill
        must not leave two.

        Args:
            artefact: the artefact's folder; safetensors, never a pickle.
            metadata: written into the MLmodel file, for people.
            served: how the version answers.

        Raises:
            SelvedgeError: the folder holds a file that may run code when it is loaded, or the candidate is registered
                with other files.
            ServiceUnavailable: MLflow does not answer.
        """
        refuse_pickles(artefact)
        digest = folder_sha256(artefact)
        registered = self.of_candidate(family, candidate)
        if registered is not None:
            if registered.digest != digest:
                raise SelvedgeError(
                    f"candidate {candidate} is registered as version {registered.version} with other files; "
                    "train it under a new name."
                )
            return registered
        tags = {CANDIDATE_TAG: candidate, DIGEST_TAG: digest, RUN_TAG: run.run_id}
        code, commit = installed_code(), git_sha()
        about = {
            "selvedge_version": code.version,
            "selvedge_commit": commit,
            "selvedge_code_sha256": code.sha256,
            "selvedge_origin": code.origin(commit),
        }
        with mlflow_errors_as_sentences(self.uri), _current_run(run), _without_advice():
            import mlflow

            logged = mlflow.pyfunc.log_model(
                name=family,
                python_model=str(served.entry),
                artifacts={ARTEFACT_KEY: str(artefact)},
                signature=served.signature(),
                pip_requirements=served.pinned(),
                metadata={**(metadata or {}), **about},
                registered_model_name=family,
                tags=tags,
            )
            version = int(logged.registered_model_version)
            self.client.update_model_version(family, str(version), about["selvedge_origin"])
            self.client.set_registered_model_alias(family, CHALLENGER, str(version))
        return self.version(family, version)

    def version(self, family: str, version: int) -> ModelVersionInfo:
        """Raises: SelvedgeError: there is no such version."""
        with mlflow_errors_as_sentences(self.uri):
            return _info(self.client.get_model_version(family, str(version)))

    def versions(self, family: str) -> Sequence[ModelVersionInfo]:
        """Every version of a family, oldest first; empty for a family that has none."""
        with mlflow_errors_as_sentences(self.uri):
            entries = list(_pages(self.client, f"name = '{family}'"))
        return sorted((_info(version) for version in entries), key=lambda version: version.version)

    def of_candidate(self, family: str, candidate: str) -> ModelVersionInfo | None:
        return next((version for version in self.versions(family) if version.candidate == candidate), None)

    def aliases(self, family: str) -> Mapping[str, int]:
        """Alias to version. Asked of the registered model: MLflow's search for versions shows no aliases."""
        model = self._model(family)
        return {} if model is None else {alias: int(version) for alias, version in model.aliases.items()}

    def _model(self, family: str) -> "RegisteredModel | None":
        from mlflow.exceptions import MlflowException

        with mlflow_errors_as_sentences(self.uri):
            try:
                return self.client.get_registered_model(family)
            except MlflowException as error:
                if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                    return None
                raise

    def aliased(self, family: str, alias: str) -> ModelVersionInfo | None:
        return self._numbered(family, self.aliases(family).get(alias))

    def _numbered(self, family: str, version: int | None) -> ModelVersionInfo | None:
        return None if version is None else self.version(family, version)

    def note_decision(self, family: str, candidate: str, passed: bool, reasons: Sequence[str]) -> None:
        """Tag a candidate's version with what a gate said of it; a refused one loses the alias `challenger`.

        Raises:
            ServiceUnavailable: MLflow does not answer.
        """
        version = self.of_candidate(family, candidate)
        if version is None:
            return  # the promotion says so, in its own sentence
        number = str(version.version)
        with mlflow_errors_as_sentences(self.uri):
            word = "passed" if passed else "refused"
            self.client.set_model_version_tag(family, number, GATE_TAG, f"{word}: {' '.join(reasons)}")
            if not passed and self.aliases(family).get(CHALLENGER) == version.version:
                self.client.delete_registered_model_alias(family, CHALLENGER)

    def champion(self, family: str) -> ModelVersionInfo | None:
        """The version that inference uses; None until one was promoted. Raises: as `champion.agreed_version`."""
        alias = self.aliases(family).get(CHAMPION)
        agreed = agreed_version(self.settings, family, alias, lambda: {info.version for info in self.versions(family)})
        return self._numbered(family, agreed)

    def artefact_path(self, version: ModelVersionInfo) -> Path:
        """The folder with a version's files on this machine; fetched once when MLflow keeps them elsewhere.

        Raises:
            SelvedgeError: the files are gone, or are not those that were registered.
        """
        with mlflow_errors_as_sentences(self.uri):
            location = str(self.client.get_logged_model(version.model_id).artifact_location)
        # Of a server of somebody else's only the server knows the folder.
        served_from = None if self.settings.tracking_uri else self.settings.mlflow_artifact_root
        model = folder_of(location, served_from) or self._downloaded(version, location)
        folder = _artefact_in(model, version)
        if folder_sha256(folder) != version.digest:
            raise SelvedgeError(
                f"the files of {version.uri} in {folder} are not those that were registered; "
                "restore them, or promote another version."
            )
        return folder

    def location(self, version: ModelVersionInfo) -> str:
        """Where the logged pyfunc of a version lies, as an address that others can read: of a bucket, or a folder."""
        with mlflow_errors_as_sentences(self.uri):
            location = str(self.client.get_logged_model(version.model_id).artifact_location)
        if self.settings.tracking_uri is None and location.startswith(PROXIED):
            return f"{self.settings.mlflow_artifact_root}/{location.removeprefix(PROXIED).lstrip('/')}"
        return location

    def _downloaded(self, version: ModelVersionInfo, location: str) -> Path:
        target = self._downloads / version.model_id
        if target.exists():
            return target
        import mlflow

        part = part_of(target)  # what is fetched lies in it under a name of the server's
        part.mkdir(parents=True)
        remove_parts(target.parent, target.name)
        try:
            fetched = mlflow.artifacts.download_artifacts(
                artifact_uri=location, dst_path=str(part), tracking_uri=self.uri
            )
            Path(fetched).replace(target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return target


@contextmanager
def _current_run(run: TrackedRun) -> Iterator[None]:
    """`log_model` knows a current run and server only; both are put back as they were."""
    import mlflow

    address = mlflow.get_tracking_uri()
    variable = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(run.uri)
    mlflow.set_registry_uri(run.uri)
    try:
        with mlflow.start_run(run_id=run.run_id):
            yield
    finally:
        # Leaving MLflow's context ended the run; the attempt goes on and ends by itself (tracking.tracked_run).
        run.client.update_run(run.run_id, status="RUNNING")
        mlflow.set_tracking_uri(address)
        mlflow.set_registry_uri("")
        if variable is None:
            os.environ.pop("MLFLOW_TRACKING_URI", None)


@contextmanager
def _without_advice() -> Iterator[None]:
    """MLflow's hints on type hints and input examples, and its lines about every step, tell nobody anything here.

    Its own switch for them is switched on again by libraries that the model's code imports; errors are raised anyway.
    """
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def _pages(client: "MlflowClient", query: str) -> "Iterator[ModelVersion]":
    token = None
    while True:
        page = client.search_model_versions(query, max_results=200, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _info(version: "ModelVersion") -> ModelVersionInfo:
    tags = dict(version.tags)
    return ModelVersionInfo(
        family=version.name,
        version=int(version.version),
        # MLflow leaves `model_id` empty on versions found by alias; the source names it all the same.
        model_id=version.model_id or str(version.source).removeprefix("models:/"),
        candidate=tags.get(CANDIDATE_TAG, ""),
        digest=tags.get(DIGEST_TAG, ""),
        run_id=version.run_id or tags.get(RUN_TAG, ""),
        created=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC),
        tags=tags,
    )


def _artefact_in(model: Path, version: ModelVersionInfo) -> Path:
    description = model / "MLmodel"
    try:
        flavor = yaml.safe_load(description.read_text())["flavors"]["python_function"]
        folder = model / flavor["artifacts"][ARTEFACT_KEY]["path"]
    except (OSError, KeyError, TypeError, yaml.YAMLError) as error:
        raise SelvedgeError(
            f"the files of {version.uri} are not in {model} any more; promote another version, or train again."
        ) from error
    return folder
