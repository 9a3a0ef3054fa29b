"""``python -m crystalml`` is the command ``crystalml``."""

import sys

from crystalml._cli import main

if __name__ == "__main__":
    sys.exit(main())
