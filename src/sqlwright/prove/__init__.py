"""Proofs: what PostgreSQL says of each query, asked of a real server or taken from the record."""
