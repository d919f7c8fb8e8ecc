-- Extensions. The schema asks for none beyond plpgsql, which every new database already has:
--   * ids come from gen_random_uuid(), built in since PostgreSQL 13, so neither pgcrypto nor uuid-ossp;
--   * e-mail addresses are compared through lower(), so no citext.
-- An extension that a later table needs is created in a migration of its own, before that table.

-- migrate:up
CREATE EXTENSION IF NOT EXISTS plpgsql;

-- migrate:down
-- plpgsql was there before this migration, so it stays: going down leaves the database as it was found.
