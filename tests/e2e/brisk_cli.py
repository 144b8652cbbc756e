"""`selvedge` as a reader types it; what `up` starts loads definitions whose sensors look more often."""

from orchestration.cli.main import main
from orchestration.runtime import services

if __name__ == "__main__":
    services.DEFINITIONS = "tests.e2e.brisk_definitions"
    main()
