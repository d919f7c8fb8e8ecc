-- migrate:up
-- A user whose personal data were erased remains as the owner of orders.
ALTER TABLE users
    ADD COLUMN erased_at timestamptz,
    ADD CONSTRAINT users_erased_check CHECK (
        erased_at IS NULL
        OR (first_name = '' AND last_name = '' AND email = id::text AND phone IS NULL AND password = '' AND role = 'customer')
    );

COMMENT ON COLUMN users.erased_at IS 'When the personal data were erased; the service then treats the user as deleted.';

-- The listing shows no erased users.
DROP INDEX users_created_at_id_idx;
CREATE INDEX users_created_at_id_idx ON users (created_at, id) WHERE erased_at IS NULL;

-- What a user has done: for the erasure of the addresses from which.
CREATE INDEX audit_log_actor_idx ON audit_log (actor);

-- The audit log refuses every change but one: the origin of an entry may be erased, since an address is personal data.
DROP TRIGGER audit_log_append_only ON audit_log;
DROP TRIGGER audit_log_append_only ON audit_log_default;
DROP TRIGGER audit_log_append_only ON audit_log_first;
CREATE TRIGGER audit_log_append_only BEFORE DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse_change();
CREATE TRIGGER audit_log_append_only BEFORE DELETE OR TRUNCATE ON audit_log_default
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse_change();
CREATE TRIGGER audit_log_append_only BEFORE DELETE OR TRUNCATE ON audit_log_first
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse_change();

CREATE FUNCTION audit_log_allow_erasure() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    erased audit_log := OLD;
BEGIN
    erased.origin := 'erased';
    IF NEW IS DISTINCT FROM erased THEN
        RAISE EXCEPTION 'audit_log is append-only: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;

-- Partitions have it too, later ones included.
CREATE TRIGGER audit_log_erase_only BEFORE UPDATE ON audit_log FOR EACH ROW EXECUTE FUNCTION audit_log_allow_erasure();

-- Subjects were addresses, where nobody had logged in or registered; now they are their digests.
ALTER TABLE audit_log DISABLE TRIGGER audit_log_erase_only;
UPDATE audit_log
SET subject = 'login:' || encode(sha256(convert_to(substr(subject, 7), 'UTF8')), 'hex')
WHERE subject LIKE 'login:%@%';
ALTER TABLE audit_log ENABLE TRIGGER audit_log_erase_only;

-- Erases what remains of a user in other tables. With the rights of the owner: the service itself may change neither events nor the audit
-- log. Events of failed logins keep their form, with an address that belongs to nobody.
CREATE FUNCTION erase_traces(user_id uuid, address text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    pattern text := regexp_replace(address, '([^[:alnum:]])', '\\\1', 'g');
    nobody text := user_id::text || '@erased.invalid';
    digest text := 'login:' || encode(sha256(convert_to(lower(address), 'UTF8')), 'hex');
BEGIN
    DELETE FROM public.login_attempts WHERE login = lower(address);
    DELETE FROM public.answers
    WHERE scope = 'user:' || user_id::text
       OR position(convert_to(user_id::text, 'UTF8') IN answer) > 0
       OR position(convert_to(address, 'UTF8') IN answer) > 0;
    UPDATE public.outbox
    SET aggregate = 'login:' || nobody,
        payload = regexp_replace(payload::text, pattern, nobody, 'gi')::jsonb,
        last_error = regexp_replace(last_error, pattern, nobody, 'gi')
    WHERE lower(aggregate) = 'login:' || lower(address);
    UPDATE public.inbox
    SET dead_message = regexp_replace(dead_message::text, pattern, nobody, 'gi')::jsonb,
        last_error = regexp_replace(last_error, pattern, nobody, 'gi')
    WHERE dead_at IS NOT NULL AND dead_message::text ~* pattern;
    UPDATE public.audit_log
    SET origin = 'erased'
    WHERE actor = 'user:' || user_id::text
       OR (actor = 'anonymous' AND subject IN ('user:' || user_id::text, digest));
END
$$;
REVOKE ALL ON FUNCTION erase_traces(uuid, text) FROM PUBLIC;

-- migrate:down
DROP FUNCTION erase_traces(uuid, text);
DROP TRIGGER audit_log_erase_only ON audit_log;
DROP FUNCTION audit_log_allow_erasure();
DROP TRIGGER audit_log_append_only ON audit_log;
DROP TRIGGER audit_log_append_only ON audit_log_default;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse_change();
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log_default
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse_change();
DROP INDEX audit_log_actor_idx;
DROP INDEX users_created_at_id_idx;
CREATE INDEX users_created_at_id_idx ON users (created_at, id);
ALTER TABLE users DROP COLUMN erased_at;
