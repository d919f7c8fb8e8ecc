-- migrate:up
-- A constant default: PostgreSQL stores it in the catalog and rewrites no row.
ALTER TABLE users ADD COLUMN session_generation integer NOT NULL DEFAULT 1;

COMMENT ON COLUMN users.session_generation IS 'Raised to end all sessions: those of an earlier generation, and their access tokens, are refused.';

-- migrate:down
ALTER TABLE users DROP COLUMN session_generation;
