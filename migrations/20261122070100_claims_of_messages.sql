-- migrate:up
-- A mail is sent outside of a transaction. Meanwhile the claim keeps a second delivery from sending it too, and the notice is counted.
ALTER TABLE inbox ADD COLUMN claimed_until timestamptz;
COMMENT ON COLUMN inbox.claimed_until IS 'Until when a process carries out what is outside of the database; NULL if none does.';

-- So that a message that is prepared again is not counted again.
ALTER TABLE notices ADD COLUMN messages uuid[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN notices.messages IS 'Messages whose notices were counted on that day.';

-- migrate:down
ALTER TABLE notices DROP COLUMN messages;
ALTER TABLE inbox DROP COLUMN claimed_until;
