"""PostgreSQL servers: one that proves queries, and one for development."""
