-- migrate:up
-- What a stored answer is about, so that those about a user are found without a search in their texts.
ALTER TABLE answers ADD COLUMN subject varchar(200) NOT NULL DEFAULT '';
COMMENT ON COLUMN answers.subject IS 'What the answer is about, as in user:<id>; empty for those of earlier versions.';

-- Whose traces are to be erased, and where. A row is written by the deletion or erasure of the user alone, so no others can be erased. It
-- remains until no request that began before can write another trace.
CREATE TABLE erasures (
    user_id uuid CONSTRAINT erasures_pkey PRIMARY KEY,
    erased_at timestamptz NOT NULL DEFAULT now(),
    logins varchar(100)[] NOT NULL,
    since timestamptz[] NOT NULL,
    until timestamptz[] NOT NULL
);

COMMENT ON TABLE erasures IS 'Users who were erased or deleted, while requests of before may still write traces of them.';
COMMENT ON COLUMN erasures.user_id IS 'The user.';
COMMENT ON COLUMN erasures.erased_at IS 'When the user was erased or deleted.';
COMMENT ON COLUMN erasures.logins IS 'Digests of the addresses of the user, as in the subjects of the audit log.';
COMMENT ON COLUMN erasures.since IS 'For each of them, since when it was of no other user.';
COMMENT ON COLUMN erasures.until IS 'For each of them, how long it was of no other user.';

CREATE FUNCTION login_digest(address text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN 'login:' || encode(sha256(convert_to(lower(address), 'UTF8')), 'hex');

-- With the rights of the owner, as below: the service may neither write erasures nor change events or the audit log.
CREATE FUNCTION users_enter_erasure() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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

CREATE TRIGGER users_enter_deletion AFTER DELETE ON users FOR EACH ROW
    WHEN (OLD.erased_at IS NULL)
    EXECUTE FUNCTION users_enter_erasure();
CREATE TRIGGER users_enter_erasure AFTER UPDATE OF erased_at ON users FOR EACH ROW
    WHEN (OLD.erased_at IS NULL AND NEW.erased_at IS NOT NULL)
    EXECUTE FUNCTION users_enter_erasure();

DROP FUNCTION erase_traces(uuid, text);

-- Erases what remains in other tables of a user who was erased or deleted; of another one nothing. Values are compared as a whole: a part of
-- an address may be the address of another user. Events of failed logins keep their form, with an address that belongs to nobody.
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

-- Erases once more what remains of users who were erased before this time, by when no request of before is in flight, and returns them.
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

-- Those of before: their ids find what requests in flight have left.
INSERT INTO erasures (user_id, erased_at, logins, since, until) SELECT id, erased_at, '{}', '{}', '{}' FROM users WHERE erased_at IS NOT NULL;

-- migrate:down
DROP FUNCTION finish_erasures(timestamptz, integer);
DROP FUNCTION erase_traces(uuid);
DROP TRIGGER users_enter_erasure ON users;
DROP TRIGGER users_enter_deletion ON users;
DROP FUNCTION users_enter_erasure();
DROP FUNCTION login_digest(text);
DROP TABLE erasures;
ALTER TABLE answers DROP COLUMN subject;
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
