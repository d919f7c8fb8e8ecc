"""The unit of work, the outcomes of a transaction, and the runner that retries use cases."""
