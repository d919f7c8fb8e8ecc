-- migrate:up
ALTER TABLE outbox
    -- Constant defaults: PostgreSQL stores them in the catalog and rewrites no row. Events written before are of version 1.
    ADD COLUMN event_version smallint NOT NULL DEFAULT 1,
    ADD COLUMN traceparent varchar(55) NOT NULL DEFAULT '';

COMMENT ON COLUMN outbox.event_version IS 'Version of the payload, as in docs/events.md.';
COMMENT ON COLUMN outbox.traceparent IS 'Span that wrote the event, as in W3C Trace Context; empty if it was not traced.';

-- migrate:down
ALTER TABLE outbox
    DROP COLUMN event_version,
    DROP COLUMN traceparent;
