-- migrate:up
CREATE TYPE audit_outcome AS ENUM ('done', 'refused');

CREATE TABLE audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT audit_log_pkey PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    actor varchar(100) NOT NULL,
    action varchar(60) NOT NULL,
    subject varchar(200) NOT NULL,
    origin varchar(100) NOT NULL,
    outcome audit_outcome NOT NULL,
    metadata jsonb NOT NULL DEFAULT '{}',
    trace_id varchar(64) NOT NULL
);

-- The entries of one subject, newest first.
CREATE INDEX audit_log_subject_id_idx ON audit_log (subject, id DESC);

-- No foreign key to users or orders: entries outlive their subjects.

-- A trigger and not privileges: it also applies to the owner of the table.
CREATE FUNCTION audit_log_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_log is append-only: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;

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

-- migrate:down
DROP TABLE audit_log;
DROP FUNCTION audit_log_refuse_change();
DROP TYPE audit_outcome;
