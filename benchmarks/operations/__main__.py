"""`python -m benchmarks.operations ROW [--small] [--folder DIR] [options of the row]`: one proof, in this process.

Every row prints what it found as lines for people and ends with one line of JSON. `--small` is the same at a size for a
minute or two. A row is a module here with `main(arguments)`.
"""

import importlib
import pkgutil
import sys

import benchmarks.operations

SHARED = (
    "__main__", "shop", "families", "definitions", "command", "brisk", "clock", "paper_studio", "year_findings",
    "flaky_front", "small_disk",
)  # fmt: skip


def rows() -> list[str]:
    """The names of all proofs."""
    modules = pkgutil.iter_modules(benchmarks.operations.__path__)
    return sorted(module.name for module in modules if module.name not in SHARED)


def main() -> None:
    row, *arguments = sys.argv[1:] or [""]
    if row not in rows():
        raise SystemExit(f"there is no proof {row!r}; there are {', '.join(rows())}.")
    importlib.import_module(f"benchmarks.operations.{row}").main(arguments)


if __name__ == "__main__":
    main()
