"""PostgreSQL types as Python types, and the wire formats in which psycopg loads and dumps them."""
