-- migrate:up
ALTER TABLE outbox
    ADD COLUMN claim uuid,
    ADD COLUMN claimed_until timestamptz,
    ADD COLUMN stream varchar(120),
    ADD COLUMN stream_sequence bigint;

-- By place in the stream: to find events that the stream has lost, and places used for the second time.
CREATE INDEX outbox_stream_sequence_idx ON outbox (stream, stream_sequence) WHERE stream IS NOT NULL;

COMMENT ON COLUMN outbox.claim IS 'The claim of the relay pass that is publishing it.';
COMMENT ON COLUMN outbox.claimed_until IS 'Time when the claim expires, so that a frozen or dead relay delays nothing for long.';
COMMENT ON COLUMN outbox.stream IS 'The stream that stores it: name and time of creation, so that a recreated stream is another one.';
COMMENT ON COLUMN outbox.stream_sequence IS 'Its sequence number in the stream.';

-- migrate:down
ALTER TABLE outbox
    DROP COLUMN claim,
    DROP COLUMN claimed_until,
    DROP COLUMN stream,
    DROP COLUMN stream_sequence;
