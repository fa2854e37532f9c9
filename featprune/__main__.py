"""Run the command line as ``python -m featprune``."""

import sys

from featprune.cli import main

if __name__ == "__main__":
    sys.exit(main())
