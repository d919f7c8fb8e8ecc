-- migrate:up
ALTER TABLE outbox
    ADD COLUMN claim uuid,
    ADD COLUMN claimed_until timestamptz,
    ADD COLUMN stream varchar(120),
    ADD COLUMN stream_sequence bigint;

-- By place in the stream: what the stream has lost, and whose place was given to another message.
CREATE INDEX outbox_stream_sequence_idx ON outbox (stream, stream_sequence) WHERE stream IS NOT NULL;

COMMENT ON COLUMN outbox.claim IS 'The relay pass that is publishing it.';
COMMENT ON COLUMN outbox.claimed_until IS 'When the claim ends by itself, so that a relay that is frozen or dead holds nothing back.';
COMMENT ON COLUMN outbox.stream IS 'The stream that holds it: name and time of creation, so that a stream made anew is another one.';
COMMENT ON COLUMN outbox.stream_sequence IS 'Its place in the stream.';

-- migrate:down
ALTER TABLE outbox
    DROP COLUMN claim,
    DROP COLUMN claimed_until,
    DROP COLUMN stream,
    DROP COLUMN stream_sequence;
