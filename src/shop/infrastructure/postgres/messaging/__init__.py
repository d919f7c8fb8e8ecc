"""The relay's side of the outbox, the inboxes of the consumers, and the effects of their handlers."""
