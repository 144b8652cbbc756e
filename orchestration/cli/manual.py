"""The parts of docs/cli.md that are written from the declarations: `python -m orchestration.cli.manual docs/cli.md`.

Belongs here: putting them between their marks. Not here: the declarations (results.py, orchestration/families/).
"""

import sys
from pathlib import Path

from orchestration.cli import results
from orchestration.families import settings


def written(page: str) -> str:
    """The page with its tables as they are declared now."""
    for mark, table in (("settings", settings.manual()), ("keys", results.manual())):
        begin, end = f"<!-- {mark} -->\n", f"<!-- end of {mark} -->"
        before, _, rest = page.partition(begin)
        _, _, after = rest.partition(end)
        page = f"{before}{begin}{table.rstrip()}\n{end}{after}"
    return page


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(written(file.read_text()))
