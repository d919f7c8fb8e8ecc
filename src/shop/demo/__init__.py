"""A demo against real PostgreSQL, Redis and NATS servers: the service as `shop serve` runs it, and a story of HTTP requests."""
