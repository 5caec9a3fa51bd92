"""The command; Django is set up first."""

import sys

import chaos.simulation.alone  # noqa: F401
from chaos.simulation.command import main

if __name__ == "__main__":
    sys.exit(main())
