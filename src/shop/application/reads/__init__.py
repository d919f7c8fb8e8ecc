"""The query service, its read models and read repositories, and their cache."""
