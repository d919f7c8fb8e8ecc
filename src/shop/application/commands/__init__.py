"""Use cases that write, each in one transaction, and the ports that only they use."""
