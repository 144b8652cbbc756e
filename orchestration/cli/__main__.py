"""`python -m orchestration.cli`: the `selvedge` command where its script is not on the path."""

from orchestration.cli.main import main

if __name__ == "__main__":
    main()
