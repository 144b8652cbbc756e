"""The keys of what `selvedge deploy` and `selvedge models` print; results.py puts them among the others."""

_DURATION = "wall seconds the command took"
_MODEL = {
    "model": "the model, as published",
    "revision": "its revision",
    "licence": "as its model card states it",
    "digest": "sha256 over names and contents of all files",
    "files": "files in it",
    "bytes": "of these files",
}

KEYS: dict[str, dict[str, str]] = {
    "deploy plan": {
        "template": "the template that would be deployed",
        "resources": "what would be created: count by type",
        "lines": "the estimate: what, quantity, unit, usd (a month), source of the price or `assumption`",
        "usd": "US dollars a month, all lines together",
        "assumed_usd": "of these, by prices that nobody looked up",
        "as_of": "date of the price table",
        "region": "region of the prices",
    },
    "deploy train": {
        "job": "name of the training job",
        "family": "the family",
        "candidate": "names the work; another attempt at it goes on from the same checkpoints",
        "attempt": "1 is the first",
        "instance": "the machine",
        "checkpoints": "where they lie",
    },
    "deploy status": {
        "job": "name of the training job",
        "state": "InProgress, Completed, Failed, Stopping or Stopped",
        "doing": "what SageMaker is at",
        "figures": "the last of each figure that the log showed",
        "seconds_used": "of training; null before",
        "seconds_paid": "of these, paid; null before",
        "spot_saved": "share of the price that spot saved; null before",
        "result": "address of the trained candidate; null before",
        "why": "why it failed",
    },
    "deploy champion": {
        "family": "the family",
        "version": "the champion's version",
        "serves": "name of its model and configuration",
        "endpoint": "the endpoint",
        "moved": "created, moving or unchanged",
    },
    "deploy describe": {
        "state": "asked, running or published",
        "jobs": "names of the batches",
        "records": "descriptions that were asked for; null while they run",
        "path": "the published table; null before",
        "rows": "rows of the table; null before",
        "written": "of these, written now; null before",
        "fell_back": "of these, by the grammar writer, as the batch gave none or one that the check turned down; null "
        "before",
        "lacking": "records without a text; null before",
        "tokens_in": "billed tokens read; null before",
        "tokens_out": "billed tokens written; null before",
    },
    "models mirror": {"place": "where it is mirrored", **_MODEL, "copied": "files copied now", "seconds": _DURATION},
    "models pull": {"path": "the folder", **_MODEL, "seconds": _DURATION},
    "models verify": {
        "place": "what was verified",
        **_MODEL,
        "wrong": "what is wrong, one sentence each; the command ends with 1 when there is something",
        "seconds": _DURATION,
    },
}
