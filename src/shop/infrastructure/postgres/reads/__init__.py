"""The read repositories."""
