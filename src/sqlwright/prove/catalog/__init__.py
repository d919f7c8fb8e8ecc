"""Facts from PostgreSQL's catalogues and documentation: relations, keys, constraints, functions."""
