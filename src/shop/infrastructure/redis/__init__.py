"""Adapters over Redis."""
