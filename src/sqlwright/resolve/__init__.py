"""From sqlc's request to an unproven package."""
