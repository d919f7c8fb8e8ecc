"""Rules for the number of rows."""
