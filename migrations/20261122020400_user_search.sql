-- migrate:up
-- Trigrams make a search for a part of a name fast. Not every server has them; without the index the search reads all users.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm') THEN
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
        CREATE INDEX users_search_idx ON users USING gin (lower(first_name || ' ' || last_name || ' ' || email) gin_trgm_ops)
            WHERE erased_at IS NULL;
    END IF;
END
$$;

-- migrate:down
DROP INDEX IF EXISTS users_search_idx;
DO $$
BEGIN
    DROP EXTENSION IF EXISTS pg_trgm;
EXCEPTION
    -- Something else uses it.
    WHEN dependent_objects_still_exist THEN NULL;
END
$$;
