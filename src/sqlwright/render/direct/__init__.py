"""The module of a package that executes prepared statements without a cursor, for `calls: direct`."""
