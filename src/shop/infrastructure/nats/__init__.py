"""Adapters over NATS JetStream."""
