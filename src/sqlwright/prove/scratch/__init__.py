"""The scratch database: the schema's files applied to an empty database by a role without any other right."""
