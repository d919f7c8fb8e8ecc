-- migrate:up
-- Each month is a table of its own, so that old entries are dropped with their table, while the rows of the others stay append-only.
-- The entries so far stay where they are, in the table that becomes the first partition: nothing is copied.
ALTER TABLE audit_log RENAME TO audit_log_first;
ALTER TABLE audit_log_first DROP CONSTRAINT audit_log_pkey;
ALTER TABLE audit_log_first ALTER COLUMN id DROP IDENTITY;
ALTER INDEX audit_log_subject_id_idx RENAME TO audit_log_first_subject_id_idx;

CREATE TABLE audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL DEFAULT now(),
    actor varchar(100) NOT NULL,
    action varchar(60) NOT NULL,
    subject varchar(200) NOT NULL,
    origin varchar(100) NOT NULL,
    outcome audit_outcome NOT NULL,
    metadata jsonb NOT NULL DEFAULT '{}',
    trace_id varchar(64) NOT NULL,
    -- A key contains the partition key; the ids alone are unique, too, since nobody chooses them.
    CONSTRAINT audit_log_pkey PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);

CREATE INDEX audit_log_subject_id_idx ON audit_log (subject, id DESC);

-- Where no partition was created in time, so that no entry is refused. `shop database maintain` moves them to the partition of their month.
CREATE TABLE audit_log_default PARTITION OF audit_log DEFAULT;

-- A trigger for each statement applies only to the table that the statement names, so every partition has its own.
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse_change();
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log_default
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse_change();

-- The months are those of UTC, like the days of the sales.
DO $$
BEGIN
    EXECUTE format(
        'ALTER TABLE audit_log ATTACH PARTITION audit_log_first FOR VALUES FROM (MINVALUE) TO (%L)',
        (date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC'
    );
    PERFORM setval(pg_get_serial_sequence('audit_log', 'id'), max(id)) FROM audit_log HAVING max(id) IS NOT NULL;
END
$$;

-- What is older was dropped, at least in part.
CREATE FUNCTION audit_log_complete_since() RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        min(coalesce(substring(pg_get_expr(relpartbound, pg_class.oid) FROM 'FROM \(''(.+)''\) TO')::timestamptz, '-infinity')),
        '-infinity'
    )
    FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = 'audit_log'::regclass AND pg_get_expr(relpartbound, pg_class.oid) <> 'DEFAULT'
$$;

COMMENT ON TABLE audit_log IS 'Who did what, when, from where, and with which outcome. Append-only.';
COMMENT ON COLUMN audit_log.id IS 'Order of the entries.';
COMMENT ON COLUMN audit_log.at IS 'Start time of the transaction.';
COMMENT ON COLUMN audit_log.actor IS 'Actor: user:<id>, admin:<name>, system:<name> or anonymous.';
COMMENT ON COLUMN audit_log.action IS 'Action, as in order.pay.';
COMMENT ON COLUMN audit_log.subject IS 'Subject of the action, as in order:<id>.';
COMMENT ON COLUMN audit_log.origin IS 'Origin of the request: a command line, an address.';
COMMENT ON COLUMN audit_log.outcome IS 'Whether it was done or refused.';
COMMENT ON COLUMN audit_log.metadata IS 'Further details; never a secret.';
COMMENT ON COLUMN audit_log.trace_id IS 'Trace of the request, also in log lines and messages.';

-- migrate:down
DROP FUNCTION audit_log_complete_since();
CREATE TABLE audit_log_whole (
    id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL DEFAULT now(),
    actor varchar(100) NOT NULL,
    action varchar(60) NOT NULL,
    subject varchar(200) NOT NULL,
    origin varchar(100) NOT NULL,
    outcome audit_outcome NOT NULL,
    metadata jsonb NOT NULL DEFAULT '{}',
    trace_id varchar(64) NOT NULL
);
INSERT INTO audit_log_whole OVERRIDING SYSTEM VALUE SELECT * FROM audit_log;
SELECT setval(pg_get_serial_sequence('audit_log_whole', 'id'), max(id)) FROM audit_log HAVING max(id) IS NOT NULL;
DROP TABLE audit_log;
ALTER TABLE audit_log_whole RENAME TO audit_log;
ALTER TABLE audit_log ADD CONSTRAINT audit_log_pkey PRIMARY KEY (id);
ALTER SEQUENCE audit_log_whole_id_seq RENAME TO audit_log_id_seq;
CREATE INDEX audit_log_subject_id_idx ON audit_log (subject, id DESC);
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse_change();
COMMENT ON TABLE audit_log IS 'Who did what, when, from where, and with which outcome. Append-only.';
COMMENT ON COLUMN audit_log.id IS 'Order of the entries.';
COMMENT ON COLUMN audit_log.at IS 'Start time of the transaction.';
COMMENT ON COLUMN audit_log.actor IS 'Actor: user:<id>, admin:<name>, system:<name> or anonymous.';
COMMENT ON COLUMN audit_log.action IS 'Action, as in order.pay.';
COMMENT ON COLUMN audit_log.subject IS 'Subject of the action, as in order:<id>.';
COMMENT ON COLUMN audit_log.origin IS 'Origin of the request: a command line, an address.';
COMMENT ON COLUMN audit_log.outcome IS 'Whether it was done or refused.';
COMMENT ON COLUMN audit_log.metadata IS 'Further details; never a secret.';
COMMENT ON COLUMN audit_log.trace_id IS 'Trace of the request, also in log lines and messages.';
