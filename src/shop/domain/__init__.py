"""The business in pure Python: aggregates, value types, events, expected errors, and the repositories of the aggregates."""
