"""The command line: the only part of sqlwright that prints."""

from sqlwright.cli.application import app

__all__ = ["app"]
