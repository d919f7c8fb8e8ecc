"""From an unproven package and its proofs to a proven one."""
