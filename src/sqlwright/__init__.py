"""sqlwright: SQL in, proven Python out."""

__version__ = "0.1.0"

# Another version may read SQL in another way; its PostgreSQL parser is being replaced upstream.
SQLC_VERSION = "1.31.1"
