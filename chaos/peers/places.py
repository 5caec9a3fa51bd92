"""Where the peers' project and their Python are."""

from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
PROJECT = CHECKOUT / "chaos" / "peers" / "project"
PYTHON = CHECKOUT / ".carillon" / "peers" / "venv" / "bin" / "python"
