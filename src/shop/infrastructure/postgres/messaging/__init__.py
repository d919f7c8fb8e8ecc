"""The relay's side of the outbox, and the inboxes of the consumers."""
