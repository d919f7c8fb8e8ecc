"""From the outbox to the broker (relay), and from the broker to the effect (consumers)."""
