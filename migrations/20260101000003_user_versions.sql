-- migrate:up
-- A constant default: PostgreSQL stores it in the catalog and rewrites no row.
ALTER TABLE users ADD COLUMN version integer NOT NULL DEFAULT 1;

COMMENT ON COLUMN users.version IS 'Incremented by every UPDATE: a writer names the version that it read, and changes nothing if that is not the current one.';

-- migrate:down
ALTER TABLE users DROP COLUMN version;
