"""`python -m jaxlr` is `jaxlr`."""

import sys

from jaxlr.cli import main

if __name__ == "__main__":
    sys.exit(main())
