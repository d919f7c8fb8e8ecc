"""Adapters that keep everything in this process's memory, under the same contracts: for fast tests of use cases."""
