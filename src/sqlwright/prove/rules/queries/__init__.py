"""Rules for the columns that queries return."""
