"""A home whose Label Studio can be stopped and started again; tests of the e2e folder share one."""

from pathlib import Path

from infra.local.label_studio import ensure_account, ensure_label_studio
from infra.local.services import Running
from labeling.review.label_studio import LabelStudio

ROOT = Path(__file__).resolve().parents[2]
# Made once for every test and benchmark of this checkout: a gigabyte, a minute. Git ignores .selvedge*.
ENVIRONMENTS = ROOT / ".selvedge-environments"


class LabelStudioHome:
    """One Label Studio: its folders, its port, its administrator."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.secrets = folder / "secrets"
        self.running: Running | None = None

    def start(self, database_uri: str | None = None) -> Running:
        places = (self.folder / "label-studio", self.folder / "logs", self.secrets)
        self.running = ensure_label_studio(*places, self.port, database_uri, ENVIRONMENTS)
        return self.running

    def stop(self) -> None:
        if self.running is not None:
            self.running.stop()
            self.running = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> Path:
        return self.folder / "label-studio" / "data" / "label_studio.sqlite3"

    def log(self) -> str:
        return (self.folder / "logs" / "label-studio.log").read_text()

    def administrator(self, patience_seconds: float = 60.0) -> LabelStudio:
        return LabelStudio(self.url, ensure_account(self.secrets).token, patience_seconds)
