"""Questions that PostgreSQL answers about a statement's text: its types, whether it can be planned, what is wrong with it."""
