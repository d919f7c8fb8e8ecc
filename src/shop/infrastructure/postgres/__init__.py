"""Adapters over PostgreSQL: the only package that imports `shop_db`."""
