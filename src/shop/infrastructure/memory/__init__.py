"""Adapters in the memory of this process."""
