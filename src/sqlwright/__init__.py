"""sqlwright: SQL in, proven Python out."""

__version__ = "0.1.0"
