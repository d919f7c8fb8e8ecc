"""Adapters: the ports of domain and application on real infrastructure."""
