"""Questions to PostgreSQL about a statement's text: its types, whether it can be planned, and what is wrong with it."""
