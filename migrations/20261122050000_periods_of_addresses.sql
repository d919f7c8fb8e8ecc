-- migrate:up
-- Since when each user has the address: together with the former addresses, the periods in which an address was whose.
ALTER TABLE users ADD COLUMN email_since timestamptz NOT NULL DEFAULT now();
ALTER TABLE former_addresses ADD COLUMN held_since timestamptz;
COMMENT ON COLUMN users.email_since IS 'Since when the user has this address, in any case. Written by triggers alone.';
COMMENT ON COLUMN former_addresses.held_since IS 'Since when the user had had it.';

UPDATE former_addresses
SET held_since = coalesce(
    (
        SELECT max(previous.replaced_at) FROM former_addresses AS previous
        WHERE previous.user_id = former_addresses.user_id AND previous.replaced_at < former_addresses.replaced_at
    ),
    (SELECT least(created_at, former_addresses.replaced_at) FROM users WHERE id = former_addresses.user_id),
    replaced_at
);
ALTER TABLE former_addresses ALTER COLUMN held_since SET NOT NULL;
UPDATE users
SET email_since = coalesce((SELECT max(replaced_at) FROM former_addresses WHERE user_id = users.id), created_at);

CREATE FUNCTION users_date_address() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.email_since := now();
    RETURN NEW;
END
$$;
CREATE TRIGGER users_date_address BEFORE UPDATE OF email ON users FOR EACH ROW
    WHEN (lower(OLD.email) <> lower(NEW.email))
    EXECUTE FUNCTION users_date_address();

-- A user may change the address without end, and is to be erased all the same: the last thousand periods are kept.
CREATE OR REPLACE FUNCTION users_keep_address() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.former_addresses (user_id, address, held_since) VALUES (OLD.id, OLD.email, OLD.email_since) ON CONFLICT DO NOTHING;
    DELETE FROM public.former_addresses
    WHERE user_id = OLD.id
      AND replaced_at <= (
          SELECT replaced_at FROM public.former_addresses WHERE user_id = OLD.id ORDER BY replaced_at DESC OFFSET 1000 LIMIT 1
      );
    RETURN NULL;
END
$$;

-- Traces are found by indexes, however many there are of others.
CREATE INDEX users_login_digest_idx ON users (login_digest(email));
CREATE INDEX former_addresses_login_digest_idx ON former_addresses (login_digest(address));
CREATE INDEX login_attempts_login_digest_idx ON login_attempts (login_digest(login));
CREATE INDEX answers_subject_idx ON answers (subject);
CREATE INDEX outbox_login_digest_idx ON outbox (login_digest(substr(aggregate, 7))) WHERE event_type = 'AuthenticationFailed';
CREATE INDEX inbox_login_digest_idx ON inbox (login_digest(substr(dead_message ->> 'aggregate', 7)))
    WHERE dead_at IS NOT NULL AND event_type = 'AuthenticationFailed';

-- Periods are judged when traces are erased, by when other users may have taken an address. A finished entry stays, so that its id is
-- never that of another user, who could be erased by it.
DROP FUNCTION finish_erasures(timestamptz, integer);
ALTER TABLE erasures DROP COLUMN since, DROP COLUMN until, ADD COLUMN finished_at timestamptz;
CREATE INDEX erasures_unfinished_idx ON erasures (erased_at) WHERE finished_at IS NULL;
COMMENT ON TABLE erasures IS 'Users who were erased or deleted. Their ids are not used again.';
COMMENT ON COLUMN erasures.logins IS 'Digests of the addresses of the user, as in the subjects of the audit log; none when it is finished.';
COMMENT ON COLUMN erasures.finished_at IS 'When the traces were erased that requests of before had left.';

-- By when what began before an erasure has ended: a request within an hour, whatever the settings, and a use case within another.
CREATE FUNCTION longest_request() RETURNS interval LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN interval '2 hours';

CREATE OR REPLACE FUNCTION users_enter_erasure() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.erasures (user_id, logins)
    SELECT OLD.id, array_agg(DISTINCT public.login_digest(held.address))
    FROM (SELECT OLD.email AS address UNION ALL SELECT address FROM public.former_addresses WHERE user_id = OLD.id) AS held
    ON CONFLICT (user_id) DO NOTHING;
    DELETE FROM public.former_addresses WHERE user_id = OLD.id;
    RETURN NULL;
END
$$;

-- The erasure is final, for the owner, too.
CREATE FUNCTION users_refuse_return() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'user % was erased, which is final', OLD.id USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER users_refuse_return BEFORE UPDATE ON users FOR EACH ROW
    WHEN (OLD.erased_at IS NOT NULL AND NEW.erased_at IS DISTINCT FROM OLD.erased_at)
    EXECUTE FUNCTION users_refuse_return();

CREATE FUNCTION users_refuse_reuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM added JOIN public.erasures ON erasures.user_id = added.id) THEN
        RAISE EXCEPTION 'the id of a user who was deleted is not used again' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER users_refuse_reuse AFTER INSERT ON users REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION users_refuse_reuse();

-- Whether a user other than this one had the address at this time. Of those who were erased themselves nothing is known, nor left.
CREATE FUNCTION login_was_of_another(login text, moment timestamptz, erased uuid) RETURNS boolean LANGUAGE sql STABLE
RETURN EXISTS (
    SELECT FROM public.users
    WHERE public.login_digest(email) = login AND id <> erased AND erased_at IS NULL AND email_since <= moment
) OR EXISTS (
    SELECT FROM public.former_addresses
    WHERE public.login_digest(address) = login AND user_id <> erased AND held_since <= moment AND replaced_at >= moment
);
REVOKE ALL ON FUNCTION login_was_of_another(text, timestamptz, uuid) FROM PUBLIC;

-- As before, but by indexes alone, and of an address only what is of the time until requests of before have ended, and of no other user.
CREATE OR REPLACE FUNCTION erase_traces(erased uuid) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET enable_seqscan = off SET jit = off AS $$
DECLARE
    itself text := 'user:' || erased::text;
    nobody text := erased::text || '@erased.invalid';
    entered public.erasures;
    ended timestamptz;
BEGIN
    SELECT * INTO entered FROM public.erasures WHERE user_id = erased AND finished_at IS NULL;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    ended := entered.erased_at + public.longest_request();
    DELETE FROM public.login_attempts WHERE login = itself;
    DELETE FROM public.login_attempts WHERE public.login_digest(login) = ANY (entered.logins);
    DELETE FROM public.answers WHERE scope = itself;
    DELETE FROM public.answers WHERE subject = itself;
    -- Those of earlier versions. An id is no part of another.
    DELETE FROM public.answers WHERE subject = '' AND position(convert_to(erased::text, 'UTF8') IN answer) > 0;
    UPDATE public.outbox
    SET aggregate = 'login:' || nobody,
        payload = CASE jsonb_typeof(payload -> 'email')
            WHEN 'object' THEN jsonb_build_object('email', jsonb_build_object('text', nobody))
            ELSE jsonb_build_object('email', nobody)
        END,
        last_error = CASE WHEN last_error IS NOT NULL THEN 'erased' END
    WHERE event_type = 'AuthenticationFailed'
      AND public.login_digest(substr(aggregate, 7)) = ANY (entered.logins)
      AND occurred_at <= ended
      AND NOT public.login_was_of_another(public.login_digest(substr(aggregate, 7)), occurred_at, erased);
    UPDATE public.inbox
    SET dead_message = dead_message || jsonb_build_object(
            'aggregate', 'login:' || nobody,
            'payload', CASE jsonb_typeof(dead_message -> 'payload' -> 'email')
                WHEN 'object' THEN jsonb_build_object('email', jsonb_build_object('text', nobody))
                ELSE jsonb_build_object('email', nobody)
            END
        ),
        last_error = CASE WHEN last_error IS NOT NULL THEN 'erased' END
    WHERE dead_at IS NOT NULL
      AND event_type = 'AuthenticationFailed'
      AND public.login_digest(substr(dead_message ->> 'aggregate', 7)) = ANY (entered.logins)
      AND (dead_message ->> 'occurred_at')::timestamptz <= ended
      AND NOT public.login_was_of_another(
          public.login_digest(substr(dead_message ->> 'aggregate', 7)), (dead_message ->> 'occurred_at')::timestamptz, erased
      );
    -- What the user did, and what was done in the name of the user without a login.
    UPDATE public.audit_log SET origin = 'erased' WHERE actor = itself AND origin <> 'erased';
    UPDATE public.audit_log SET origin = 'erased' WHERE subject = itself AND actor = 'anonymous' AND origin <> 'erased';
    UPDATE public.audit_log
    SET origin = 'erased'
    WHERE subject = ANY (entered.logins)
      AND actor = 'anonymous'
      AND at <= ended
      AND origin <> 'erased'
      AND NOT public.login_was_of_another(subject, at, erased);
END
$$;

-- Erases once more what remains of a user, when no request of before is in flight, and returns whether it did. One at a time, so that what
-- fails for one is done for the others.
CREATE FUNCTION finish_erasure(erased uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM FROM public.erasures
    WHERE user_id = erased AND finished_at IS NULL AND erased_at < now() - public.longest_request()
    FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM public.erase_traces(erased);
    UPDATE public.erasures SET finished_at = now(), logins = '{}' WHERE user_id = erased;
    RETURN true;
END
$$;
REVOKE ALL ON FUNCTION finish_erasure(uuid) FROM PUBLIC;

-- migrate:down
DROP FUNCTION finish_erasure(uuid);
DROP FUNCTION erase_traces(uuid);
DROP FUNCTION login_was_of_another(text, timestamptz, uuid);
DROP TRIGGER users_refuse_reuse ON users;
DROP FUNCTION users_refuse_reuse();
DROP TRIGGER users_refuse_return ON users;
DROP FUNCTION users_refuse_return();
DROP FUNCTION longest_request();
DROP INDEX erasures_unfinished_idx;
DELETE FROM erasures WHERE finished_at IS NOT NULL;
ALTER TABLE erasures
    DROP COLUMN finished_at,
    ADD COLUMN since timestamptz[] NOT NULL DEFAULT '{}',
    ADD COLUMN until timestamptz[] NOT NULL DEFAULT '{}';
-- Of periods nothing is known: what was left before the erasure is erased already.
UPDATE erasures SET logins = '{}';
ALTER TABLE erasures ALTER COLUMN since DROP DEFAULT, ALTER COLUMN until DROP DEFAULT;
COMMENT ON TABLE erasures IS 'Users who were erased or deleted, while requests of before may still write traces of them.';
COMMENT ON COLUMN erasures.logins IS 'Digests of the addresses of the user, as in the subjects of the audit log.';
COMMENT ON COLUMN erasures.since IS 'For each of them, since when it was of no other user.';
COMMENT ON COLUMN erasures.until IS 'For each of them, how long it was of no other user.';
DROP INDEX inbox_login_digest_idx;
DROP INDEX outbox_login_digest_idx;
DROP INDEX answers_subject_idx;
DROP INDEX login_attempts_login_digest_idx;
DROP INDEX former_addresses_login_digest_idx;
DROP INDEX users_login_digest_idx;
DROP TRIGGER users_date_address ON users;
DROP FUNCTION users_date_address();
ALTER TABLE former_addresses DROP COLUMN held_since;
ALTER TABLE users DROP COLUMN email_since;
CREATE OR REPLACE FUNCTION users_keep_address() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.former_addresses (user_id, address) VALUES (OLD.id, OLD.email) ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
CREATE OR REPLACE FUNCTION users_enter_erasure() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- An address may have been of another user before or afterwards. What was stored about it then is about that user.
    INSERT INTO public.erasures (user_id, logins, since, until)
    SELECT
        OLD.id,
        array_agg(public.login_digest(address)),
        array_agg(coalesce(
            (SELECT max(other.replaced_at) FROM public.former_addresses AS other
             WHERE lower(other.address) = held.address AND other.user_id <> OLD.id AND other.replaced_at <= held.until),
            '-infinity'
        )),
        array_agg(CASE
            WHEN EXISTS (SELECT FROM public.users AS other WHERE lower(other.email) = held.address AND other.id <> OLD.id)
                OR EXISTS (SELECT FROM public.former_addresses AS other
                           WHERE lower(other.address) = held.address AND other.user_id <> OLD.id AND other.replaced_at > held.until)
                THEN held.until
            ELSE 'infinity'
        END)
    FROM (
        SELECT address, max(replaced_at) AS until
        FROM (
            SELECT lower(OLD.email) AS address, 'infinity'::timestamptz AS replaced_at
            UNION ALL
            SELECT lower(former_addresses.address), replaced_at FROM public.former_addresses WHERE user_id = OLD.id
        ) AS each
        GROUP BY address
    ) AS held
    ON CONFLICT (user_id) DO NOTHING;
    DELETE FROM public.former_addresses WHERE user_id = OLD.id;
    RETURN NULL;
END
$$;
CREATE FUNCTION erase_traces(erased uuid) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    itself text := 'user:' || erased::text;
    nobody text := erased::text || '@erased.invalid';
    entered public.erasures;
BEGIN
    SELECT * INTO entered FROM public.erasures WHERE user_id = erased;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    DELETE FROM public.login_attempts WHERE login = itself OR public.login_digest(login) = ANY (entered.logins);
    DELETE FROM public.answers
    WHERE scope = itself
       OR subject = itself
       -- An id is no part of another.
       OR (subject = '' AND position(convert_to(erased::text, 'UTF8') IN answer) > 0);
    UPDATE public.outbox
    SET aggregate = 'login:' || nobody,
        payload = CASE jsonb_typeof(payload -> 'email')
            WHEN 'object' THEN jsonb_build_object('email', jsonb_build_object('text', nobody))
            ELSE jsonb_build_object('email', nobody)
        END,
        last_error = CASE WHEN last_error IS NOT NULL THEN 'erased' END
    FROM unnest(entered.logins, entered.since, entered.until) AS held (login, since, until)
    WHERE event_type = 'AuthenticationFailed'
      AND public.login_digest(substr(aggregate, 7)) = held.login
      AND occurred_at > held.since
      AND occurred_at <= held.until
      -- Since then the address may be that of a new user.
      AND (occurred_at <= entered.erased_at OR NOT EXISTS (SELECT FROM public.users WHERE lower(email) = lower(substr(aggregate, 7))));
    UPDATE public.inbox
    SET dead_message = dead_message || jsonb_build_object(
            'aggregate', 'login:' || nobody,
            'payload', CASE jsonb_typeof(dead_message -> 'payload' -> 'email')
                WHEN 'object' THEN jsonb_build_object('email', jsonb_build_object('text', nobody))
                ELSE jsonb_build_object('email', nobody)
            END
        ),
        last_error = CASE WHEN last_error IS NOT NULL THEN 'erased' END
    FROM unnest(entered.logins, entered.since, entered.until) AS held (login, since, until)
    WHERE dead_at IS NOT NULL
      AND event_type = 'AuthenticationFailed'
      AND public.login_digest(substr(dead_message ->> 'aggregate', 7)) = held.login
      AND (dead_message ->> 'occurred_at')::timestamptz > held.since
      AND (dead_message ->> 'occurred_at')::timestamptz <= held.until
      AND (
          (dead_message ->> 'occurred_at')::timestamptz <= entered.erased_at
          OR NOT EXISTS (SELECT FROM public.users WHERE lower(email) = lower(substr(dead_message ->> 'aggregate', 7)))
      );
    -- What the user did, and what was done in the name of the user without a login.
    UPDATE public.audit_log SET origin = 'erased' WHERE actor = itself AND origin <> 'erased';
    UPDATE public.audit_log SET origin = 'erased' WHERE subject = itself AND actor = 'anonymous' AND origin <> 'erased';
    UPDATE public.audit_log
    SET origin = 'erased'
    FROM unnest(entered.logins, entered.since, entered.until) AS held (login, since, until)
    WHERE subject = held.login
      AND actor = 'anonymous'
      AND at > held.since
      AND at <= held.until
      AND origin <> 'erased';
END
$$;
REVOKE ALL ON FUNCTION erase_traces(uuid) FROM PUBLIC;
CREATE FUNCTION finish_erasures(before timestamptz, at_most integer) RETURNS SETOF uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    erased uuid;
BEGIN
    FOR erased IN SELECT user_id FROM public.erasures WHERE erased_at < before ORDER BY erased_at LIMIT at_most FOR UPDATE SKIP LOCKED LOOP
        PERFORM public.erase_traces(erased);
        DELETE FROM public.erasures WHERE user_id = erased;
        RETURN NEXT erased;
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION finish_erasures(timestamptz, integer) FROM PUBLIC;
