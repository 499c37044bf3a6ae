"""Networks that come with the package."""

from pathlib import Path

SMALL = Path(__file__).parent / "small"
"""The checkpoint that is used where none is given (docs/results/small-model.md)."""
