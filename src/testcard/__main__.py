"""`python -m testcard` and the console script."""

from testcard.cli import main

if __name__ == "__main__":
    main()
