-- migrate:up
-- Generations were counted, so after a failover to a standby that had not received the last one, its number was given out again, and sessions
-- of the lost generation were valid. Now they are milliseconds of the clock, and the numbers given out so far are less than all of these.
-- Rewrites the table and its indexes, and locks it meanwhile: about two seconds for each 100,000 users.
ALTER TABLE users ALTER COLUMN session_generation TYPE bigint;

COMMENT ON COLUMN users.session_generation IS 'Raised to end all sessions, to the milliseconds since 1970 or beyond: those of another generation, and their access tokens, are refused.';

-- migrate:down
-- To seconds: greater than any count, and unequal to all milliseconds, so no session that has ended is valid again.
ALTER TABLE users ALTER COLUMN session_generation TYPE integer
USING CASE WHEN session_generation > 2147483647 THEN session_generation / 1000 ELSE session_generation END;

COMMENT ON COLUMN users.session_generation IS 'Raised to end all sessions: those of an earlier generation, and their access tokens, are refused.';
