"""`python -m benchmarks.operations.command …` is `selvedge …` on a proof's home: with the quick family alone."""

from benchmarks.operations.families import QUICK_FAMILIES
from orchestration import families
from orchestration.runtime import services

if __name__ == "__main__":
    families.FAMILIES = QUICK_FAMILIES
    services.DEFINITIONS = "benchmarks.operations.definitions"

    from orchestration.cli.main import main

    main()
