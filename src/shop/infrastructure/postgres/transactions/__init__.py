"""What takes part in a unit of work: repositories, audit log, outbox."""
