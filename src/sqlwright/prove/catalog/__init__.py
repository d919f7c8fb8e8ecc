"""What PostgreSQL's catalogs and documentation say: relations, keys, constraints, functions."""
