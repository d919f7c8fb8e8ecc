-- migrate:up
-- What an erasure does with a dead letter no longer depends on how large it is: the digests of the addresses in it are computed once, when
-- it is buried. So a letter with an address of a user who was erased before can lose its content then, however late it comes.

-- The digests of all addresses in a message. An address is a whole word there: a part of it may be the address of another user.
CREATE OR REPLACE FUNCTION login_digests(message jsonb) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1000
RETURN (
    SELECT coalesce(array_agg(public.login_digest(word)), '{}')
    FROM (
        SELECT lower(word)
        FROM (SELECT message::text AS stored) AS messages
        CROSS JOIN LATERAL (
            -- Without escapes, whose letters are no part of a word; in a text that could not be read, they are escaped again.
            SELECT regexp_replace(stored, '\\(u[0-9a-f]{4}|.)', ' ', 'g') AS plain
            UNION ALL
            SELECT regexp_replace(stored, '\\+(u[0-9a-f]{4}|.)', ' ', 'g') WHERE strpos(stored, '\\') > 0
        ) AS texts
        -- As it is, and as in a URL.
        CROSS JOIN LATERAL (
            SELECT plain AS content
            UNION ALL
            SELECT regexp_replace(
                replace(regexp_replace(replace(plain, '%40', '@'), '%2b', '+', 'gi'), '%27', ''''), '%[0-9a-f]{2}', ' ', 'gi'
            )
            WHERE plain ~* '%[0-9a-f]{2}'
        ) AS contents
        CROSS JOIN LATERAL (
            -- Signs around a word may be those of the text around it, as apostrophes are, and are no end of an address.
            SELECT candidate AS word
            FROM regexp_split_to_table(content, '[^A-Za-z0-9.!#$%&''*+/=?^_`{|}~@-]+') AS part
            CROSS JOIN LATERAL (VALUES
                (rtrim(part, '.!#$%&''*+/=?^_`{|}~-')),
                (ltrim(rtrim(part, '.!#$%&''*+/=?^_`{|}~-'), '.!#$%&''*+/=?^_`{|}~-')),
                (ltrim(substring(rtrim(part, '.!#$%&''*+/=?^_`{|}~-') FROM '[^=]*$'), '.!#$%&''*+/=?^_`{|}~-'))
            ) AS candidates (candidate)
            WHERE part LIKE '%_@_%'
            UNION ALL
            -- Between signs that separate words in URLs, settings and code, and are rarely part of an address.
            SELECT rtrim(part, '.!#$%+^_~-')
            FROM regexp_split_to_table(content, '[^A-Za-z0-9.!#$%+^_~@-]+') AS part
            WHERE part LIKE '%_@_%'
            UNION ALL
            -- An apostrophe is one in names.
            SELECT btrim(part, '.!#$%''+^_~-')
            FROM regexp_split_to_table(content, '[^A-Za-z0-9.!#$%''+^_~@-]+') AS part
            WHERE part LIKE '%_@_%' AND strpos(part, '''') > 0
        ) AS words
        WHERE word LIKE '%_@_%' AND length(word) <= 100
        GROUP BY lower(word)
    ) AS found (word)
);

ALTER TABLE inbox ADD COLUMN dead_logins varchar[];
COMMENT ON COLUMN inbox.dead_logins IS 'Digests of the addresses in a dead letter.';
DROP INDEX inbox_login_digests_idx;
UPDATE inbox SET dead_logins = login_digests(dead_message) WHERE dead_message IS NOT NULL;
CREATE INDEX inbox_dead_logins_idx ON inbox USING gin (dead_logins) WITH (fastupdate = off) WHERE dead_at IS NOT NULL;

COMMENT ON COLUMN erasures.logins IS
    'Digests of the addresses of the user, as in the subjects of the audit log; none when no message of before can be delivered any more.';
CREATE INDEX erasures_logins_idx ON erasures USING gin (logins) WHERE logins <> '{}';
CREATE INDEX erasures_kept_idx ON erasures (erased_at) WHERE finished_at IS NOT NULL AND logins <> '{}';

-- Whether a dead letter is a trace of a user who was erased or deleted. Where its time is not known, what names the user is the user's,
-- unless it came after the erasure, when another one had the address.
CREATE FUNCTION letter_was_of(letter inbox, entered erasures) RETURNS boolean LANGUAGE sql STABLE
RETURN (
    SELECT coalesce(stated <= ended, true) AND EXISTS (
        SELECT FROM unnest(letter.dead_logins) AS named
        WHERE named = ANY (entered.logins)
          AND public.login_was_of_another(
              named, coalesce(stated, CASE WHEN letter.received_at > entered.erased_at THEN letter.received_at END), entered.user_id
          ) IS NOT TRUE
    )
    FROM (
        SELECT public.stated_time(letter.dead_message, letter.received_at) AS stated,
            entered.erased_at + public.longest_request() AS ended
    ) AS times
);
REVOKE ALL ON FUNCTION letter_was_of(inbox, erasures) FROM PUBLIC;

-- The content of a dead letter without the address. That of a failed login keeps its form, with an address that belongs to nobody; of others
-- nothing but the type and the time of arrival remains.
CREATE OR REPLACE FUNCTION without_address(letter inbox, logins text[], nobody text) RETURNS jsonb LANGUAGE sql STABLE
RETURN CASE
    WHEN CASE
        WHEN letter.event_type <> 'AuthenticationFailed' OR jsonb_typeof(letter.dead_message) <> 'object' THEN false
        -- Events of failed logins are small. To search a large message once more takes long.
        WHEN octet_length(letter.dead_message::text) > 10000 THEN false
        ELSE NOT login_digests(letter.dead_message - 'aggregate' - 'payload') && logins
    END
    THEN letter.dead_message || jsonb_build_object(
        'aggregate', 'login:' || nobody,
        'payload', CASE jsonb_typeof(letter.dead_message -> 'payload' -> 'email')
            WHEN 'object' THEN jsonb_build_object('email', jsonb_build_object('text', nobody))
            ELSE jsonb_build_object('email', nobody)
        END
    )
    ELSE jsonb_build_object(
        'id', letter.message_id,
        'aggregate', 'erased',
        'event_type', CASE WHEN login_digests(to_jsonb(letter.event_type)) && logins THEN 'erased' ELSE letter.event_type END,
        'version', 1,
        'payload', NULL,
        'trace_id', '',
        'occurred_at', letter.received_at
    )
END;

-- Erases the next traces in other tables of a user who was erased or deleted; of another one nothing. Returns whether that was all for now,
-- and NULL if there was nothing to do, or another transaction does it. When all are erased, and requests of before have ended, everything is
-- searched once more, for what they have written: then the erasure is finished. Of an address only what is of the time until then is erased,
-- and of no other user. The work is bounded by the number of traces to examine: a plan must not walk through the traces of others because
-- most are those of this user, so plans are generic, and what counts is how many rows are read. A dead letter counts as 250 traces, since it
-- may have a megabyte. When the erasure is finished, the digests remain for dead letters that come later, until `forget_logins`.
CREATE OR REPLACE FUNCTION erase_traces(erased uuid, at_most integer DEFAULT 5000) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET jit = off SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan SET seq_page_cost = 0 SET random_page_cost = 0 AS $$
DECLARE
    itself text := 'user:' || erased::text;
    nobody text := erased::text || '@erased.invalid';
    entered public.erasures;
    logins text[];
    ended timestamptz;
    remaining integer := greatest(at_most, 1);
    bound integer;
    weight integer;
    examined integer;
    digest text;
    number_reached bigint;
    number_found bigint;
    letter_reached uuid;
    letter_found uuid;
    has_logins boolean;
BEGIN
    SELECT * INTO entered FROM public.erasures
    WHERE user_id = erased
      AND finished_at IS NULL
      AND (cleared_at IS NULL OR erased_at < now() - public.longest_request())
    FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    logins := entered.logins;
    ended := entered.erased_at + public.longest_request();
    WHILE remaining > 0 AND entered.stage < 7 LOOP
        -- In stages with addresses once for the user, and once for each of them.
        has_logins := entered.stage IN (4, 5) AND entered.login < cardinality(logins);
        weight := CASE WHEN entered.stage = 6 THEN 250 ELSE 1 END;
        bound := greatest(remaining / weight, 1);
        digest := CASE WHEN entered.login = 0 THEN itself ELSE logins[entered.login] END;
        CASE entered.stage
            WHEN 0 THEN
                -- One for each address at most.
                DELETE FROM public.login_attempts WHERE login = itself;
                DELETE FROM public.login_attempts WHERE public.login_digest(login) = ANY (logins);
                -- Those of earlier versions, which are few by now. An id is no part of another.
                DELETE FROM public.answers WHERE subject = '' AND position(convert_to(erased::text, 'UTF8') IN answer) > 0;
                examined := 0;
            WHEN 1 THEN
                DELETE FROM public.answers
                WHERE ctid = ANY (ARRAY(SELECT ctid FROM public.answers WHERE scope = itself LIMIT bound));
                GET DIAGNOSTICS examined = ROW_COUNT;
            WHEN 2 THEN
                DELETE FROM public.answers
                WHERE ctid = ANY (ARRAY(SELECT ctid FROM public.answers WHERE subject = itself LIMIT bound));
                GET DIAGNOSTICS examined = ROW_COUNT;
            WHEN 3 THEN
                -- What the user did.
                number_reached := coalesce(nullif(entered.reached, ''), '0');
                SELECT count(*), max(id) INTO examined, number_found
                FROM (SELECT id FROM public.audit_log WHERE actor = itself AND id > number_reached ORDER BY id LIMIT bound) AS next;
                IF examined > 0 THEN
                    UPDATE public.audit_log SET origin = 'erased'
                    WHERE actor = itself AND id > number_reached AND id <= number_found AND origin <> 'erased';
                END IF;
                entered.reached := number_found;
            WHEN 4 THEN
                -- What was done in the name of the user without a login.
                number_reached := coalesce(nullif(entered.reached, ''), '0');
                SELECT count(*), max(id) INTO examined, number_found
                FROM (SELECT id FROM public.audit_log WHERE subject = digest AND id > number_reached ORDER BY id LIMIT bound) AS next;
                IF examined > 0 THEN
                    UPDATE public.audit_log SET origin = 'erased'
                    WHERE subject = digest AND id > number_reached AND id <= number_found
                      -- As a CASE no condition for an index: of the actor 'anonymous' there is much of others.
                      AND CASE WHEN actor = 'anonymous' AND origin <> 'erased' THEN
                          entered.login = 0 OR (at <= ended AND NOT public.login_was_of_another(subject, at, erased))
                      ELSE false END;
                END IF;
                entered.reached := number_found;
            WHEN 5 THEN
                number_reached := coalesce(nullif(entered.reached, ''), '0');
                SELECT count(*), max(next.position) INTO examined, number_found
                FROM (
                    SELECT outbox.position FROM public.outbox
                    WHERE event_type = 'AuthenticationFailed'
                      AND public.login_digest(substr(aggregate, 7)) = digest
                      AND outbox.position > number_reached
                    ORDER BY outbox.position
                    LIMIT bound
                ) AS next;
                IF examined > 0 THEN
                    UPDATE public.outbox
                    SET aggregate = 'login:' || nobody,
                        payload = CASE jsonb_typeof(payload -> 'email')
                            WHEN 'object' THEN jsonb_build_object('email', jsonb_build_object('text', nobody))
                            ELSE jsonb_build_object('email', nobody)
                        END,
                        last_error = CASE WHEN last_error IS NOT NULL THEN 'erased' END
                    WHERE event_type = 'AuthenticationFailed'
                      AND public.login_digest(substr(aggregate, 7)) = digest
                      AND outbox.position > number_reached
                      AND outbox.position <= number_found
                      AND occurred_at <= ended
                      AND NOT public.login_was_of_another(digest, occurred_at, erased);
                END IF;
                entered.reached := number_found;
            WHEN 6 THEN
                -- All that name the user are found for each batch: an index of words has no order. Dead letters are few.
                letter_reached := coalesce(nullif(entered.reached, ''), '00000000-0000-0000-0000-000000000000');
                SELECT count(*), (array_agg(message_id ORDER BY message_id DESC))[1] INTO examined, letter_found
                FROM (
                    SELECT message_id FROM public.inbox
                    WHERE dead_at IS NOT NULL AND dead_logins && entered.logins AND message_id > letter_reached
                    ORDER BY message_id
                    LIMIT bound
                ) AS next;
                IF examined > 0 THEN
                    UPDATE public.inbox
                    SET dead_message = public.without_address(inbox, logins, nobody),
                        event_type = CASE
                            WHEN public.login_digests(to_jsonb(event_type)) && logins THEN 'erased' ELSE event_type
                        END,
                        last_error = CASE WHEN last_error IS NOT NULL THEN 'erased' END
                    WHERE dead_at IS NOT NULL
                      AND dead_logins && entered.logins
                      AND message_id > letter_reached
                      AND message_id <= letter_found
                      AND public.letter_was_of(inbox, entered);
                END IF;
                entered.reached := letter_found;
        END CASE;
        IF examined < bound THEN
            entered.reached := '';
            entered.stage := entered.stage + CASE WHEN has_logins THEN 0 ELSE 1 END;
            entered.login := CASE WHEN has_logins THEN entered.login + 1 ELSE 0 END;
        END IF;
        -- To find nothing is work, too.
        remaining := remaining - examined * weight - 1;
    END LOOP;
    IF entered.stage < 7 THEN
        UPDATE public.erasures SET stage = entered.stage, login = entered.login, reached = coalesce(entered.reached, '')
        WHERE user_id = erased;
        RETURN false;
    END IF;
    UPDATE public.erasures
    SET stage = 0,
        login = 0,
        reached = '',
        cleared_at = coalesce(cleared_at, now()),
        finished_at = CASE WHEN entered.cleared_at IS NOT NULL THEN now() END
    WHERE user_id = erased;
    RETURN entered.cleared_at IS NOT NULL OR ended >= now();
END
$$;

-- With the rights of the owner: the service may not read digests of erased users.
CREATE FUNCTION inbox_bury() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    entered public.erasures;
BEGIN
    NEW.dead_logins := CASE WHEN NEW.dead_message IS NOT NULL THEN public.login_digests(NEW.dead_message) END;
    FOR entered IN SELECT * FROM public.erasures WHERE logins <> '{}' AND logins && NEW.dead_logins LOOP
        IF public.letter_was_of(NEW, entered) THEN
            NEW.dead_message := public.without_address(NEW, entered.logins, entered.user_id::text || '@erased.invalid');
            IF public.login_digests(to_jsonb(NEW.event_type)) && entered.logins::text[] THEN
                NEW.event_type := 'erased';
            END IF;
            NEW.last_error := CASE WHEN NEW.last_error IS NOT NULL THEN 'erased' END;
            NEW.dead_logins := public.login_digests(NEW.dead_message);
        END IF;
    END LOOP;
    RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION inbox_bury() FROM PUBLIC;
CREATE TRIGGER inbox_bury BEFORE INSERT OR UPDATE OF dead_message ON inbox
    FOR EACH ROW WHEN (NEW.dead_message IS NOT NULL OR NEW.dead_logins IS NOT NULL) EXECUTE FUNCTION inbox_bury();

-- Forgets the digests of users who were erased before this time, and returns of how many.
CREATE FUNCTION forget_logins(before timestamptz, at_most integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    forgotten integer;
BEGIN
    UPDATE public.erasures SET logins = '{}'
    WHERE user_id = ANY (ARRAY(
        SELECT user_id FROM public.erasures
        WHERE finished_at IS NOT NULL AND logins <> '{}' AND erased_at < before
        ORDER BY erased_at
        LIMIT at_most
    ));
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    RETURN forgotten;
END
$$;
REVOKE ALL ON FUNCTION forget_logins(timestamptz, integer) FROM PUBLIC;

-- migrate:down
DROP FUNCTION forget_logins(timestamptz, integer);
DROP TRIGGER inbox_bury ON inbox;
DROP FUNCTION inbox_bury();
DROP INDEX erasures_kept_idx;
DROP INDEX erasures_logins_idx;
UPDATE erasures SET logins = '{}' WHERE finished_at IS NOT NULL AND logins <> '{}';
COMMENT ON COLUMN erasures.logins IS 'Digests of the addresses of the user, as in the subjects of the audit log; none when it is finished.';
DROP FUNCTION letter_was_of(inbox, erasures);
DROP INDEX inbox_dead_logins_idx;
ALTER TABLE inbox DROP COLUMN dead_logins;
CREATE OR REPLACE FUNCTION login_digests(message jsonb) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1000
RETURN (
    SELECT coalesce(array_agg(DISTINCT public.login_digest(word)), '{}')
    FROM (
        SELECT rtrim(part, '.') AS word
        -- Without escapes, whose letters are no part of a word.
        FROM regexp_split_to_table(
            regexp_replace(message::text, '\\(u[0-9a-f]{4}|.)', ' ', 'g'), '[^A-Za-z0-9.!#$%&''*+/=?^_`{|}~@-]+'
        ) AS part
    ) AS words
    WHERE word LIKE '%_@_%' AND length(word) <= 100
);
CREATE INDEX inbox_login_digests_idx ON inbox USING gin (login_digests(dead_message)) WITH (fastupdate = off) WHERE dead_at IS NOT NULL;
CREATE OR REPLACE FUNCTION without_address(letter inbox, logins text[], nobody text) RETURNS jsonb LANGUAGE sql STABLE
RETURN CASE
    WHEN letter.event_type = 'AuthenticationFailed'
        AND jsonb_typeof(letter.dead_message) = 'object'
        AND NOT login_digests(letter.dead_message - 'aggregate' - 'payload') && logins
    THEN letter.dead_message || jsonb_build_object(
        'aggregate', 'login:' || nobody,
        'payload', CASE jsonb_typeof(letter.dead_message -> 'payload' -> 'email')
            WHEN 'object' THEN jsonb_build_object('email', jsonb_build_object('text', nobody))
            ELSE jsonb_build_object('email', nobody)
        END
    )
    ELSE jsonb_build_object(
        'id', letter.message_id,
        'aggregate', 'erased',
        'event_type', CASE WHEN login_digests(to_jsonb(letter.event_type)) && logins THEN 'erased' ELSE letter.event_type END,
        'version', 1,
        'payload', NULL,
        'trace_id', '',
        'occurred_at', letter.received_at
    )
END;
CREATE OR REPLACE FUNCTION erase_traces(erased uuid, at_most integer DEFAULT 5000) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET jit = off SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan SET seq_page_cost = 0 SET random_page_cost = 0 AS $$
DECLARE
    itself text := 'user:' || erased::text;
    nobody text := erased::text || '@erased.invalid';
    entered public.erasures;
    logins text[];
    ended timestamptz;
    remaining integer := greatest(at_most, 1);
    examined integer;
    digest text;
    number_reached bigint;
    number_found bigint;
    letter_reached uuid;
    letter_found uuid;
    has_logins boolean;
BEGIN
    SELECT * INTO entered FROM public.erasures
    WHERE user_id = erased
      AND finished_at IS NULL
      AND (cleared_at IS NULL OR erased_at < now() - public.longest_request())
    FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    logins := entered.logins;
    ended := entered.erased_at + public.longest_request();
    WHILE remaining > 0 AND entered.stage < 7 LOOP
        -- In stages with addresses once for the user, and once for each of them.
        has_logins := entered.stage IN (4, 5) AND entered.login < cardinality(logins);
        digest := CASE WHEN entered.login = 0 THEN itself ELSE logins[entered.login] END;
        CASE entered.stage
            WHEN 0 THEN
                -- One for each address at most.
                DELETE FROM public.login_attempts WHERE login = itself;
                DELETE FROM public.login_attempts WHERE public.login_digest(login) = ANY (logins);
                -- Those of earlier versions, which are few by now. An id is no part of another.
                DELETE FROM public.answers WHERE subject = '' AND position(convert_to(erased::text, 'UTF8') IN answer) > 0;
                examined := 0;
            WHEN 1 THEN
                DELETE FROM public.answers
                WHERE ctid = ANY (ARRAY(SELECT ctid FROM public.answers WHERE scope = itself LIMIT remaining));
                GET DIAGNOSTICS examined = ROW_COUNT;
            WHEN 2 THEN
                DELETE FROM public.answers
                WHERE ctid = ANY (ARRAY(SELECT ctid FROM public.answers WHERE subject = itself LIMIT remaining));
                GET DIAGNOSTICS examined = ROW_COUNT;
            WHEN 3 THEN
                -- What the user did.
                number_reached := coalesce(nullif(entered.reached, ''), '0');
                SELECT count(*), max(id) INTO examined, number_found
                FROM (SELECT id FROM public.audit_log WHERE actor = itself AND id > number_reached ORDER BY id LIMIT remaining) AS next;
                IF examined > 0 THEN
                    UPDATE public.audit_log SET origin = 'erased'
                    WHERE actor = itself AND id > number_reached AND id <= number_found AND origin <> 'erased';
                END IF;
                entered.reached := number_found;
            WHEN 4 THEN
                -- What was done in the name of the user without a login.
                number_reached := coalesce(nullif(entered.reached, ''), '0');
                SELECT count(*), max(id) INTO examined, number_found
                FROM (SELECT id FROM public.audit_log WHERE subject = digest AND id > number_reached ORDER BY id LIMIT remaining) AS next;
                IF examined > 0 THEN
                    UPDATE public.audit_log SET origin = 'erased'
                    WHERE subject = digest AND id > number_reached AND id <= number_found
                      -- As a CASE no condition for an index: of the actor 'anonymous' there is much of others.
                      AND CASE WHEN actor = 'anonymous' AND origin <> 'erased' THEN
                          entered.login = 0 OR (at <= ended AND NOT public.login_was_of_another(subject, at, erased))
                      ELSE false END;
                END IF;
                entered.reached := number_found;
            WHEN 5 THEN
                number_reached := coalesce(nullif(entered.reached, ''), '0');
                SELECT count(*), max(next.position) INTO examined, number_found
                FROM (
                    SELECT outbox.position FROM public.outbox
                    WHERE event_type = 'AuthenticationFailed'
                      AND public.login_digest(substr(aggregate, 7)) = digest
                      AND outbox.position > number_reached
                    ORDER BY outbox.position
                    LIMIT remaining
                ) AS next;
                IF examined > 0 THEN
                    UPDATE public.outbox
                    SET aggregate = 'login:' || nobody,
                        payload = CASE jsonb_typeof(payload -> 'email')
                            WHEN 'object' THEN jsonb_build_object('email', jsonb_build_object('text', nobody))
                            ELSE jsonb_build_object('email', nobody)
                        END,
                        last_error = CASE WHEN last_error IS NOT NULL THEN 'erased' END
                    WHERE event_type = 'AuthenticationFailed'
                      AND public.login_digest(substr(aggregate, 7)) = digest
                      AND outbox.position > number_reached
                      AND outbox.position <= number_found
                      AND occurred_at <= ended
                      AND NOT public.login_was_of_another(digest, occurred_at, erased);
                END IF;
                entered.reached := number_found;
            WHEN 6 THEN
                -- All that name the user are found for each batch: an index of words has no order. Dead letters are few.
                letter_reached := coalesce(nullif(entered.reached, ''), '00000000-0000-0000-0000-000000000000');
                SELECT count(*), (array_agg(message_id ORDER BY message_id DESC))[1] INTO examined, letter_found
                FROM (
                    SELECT message_id FROM public.inbox
                    WHERE dead_at IS NOT NULL AND public.login_digests(dead_message) && logins AND message_id > letter_reached
                    ORDER BY message_id
                    LIMIT remaining
                ) AS next;
                IF examined > 0 THEN
                    UPDATE public.inbox
                    SET dead_message = public.without_address(inbox, logins, nobody),
                        event_type = CASE
                            WHEN public.login_digests(to_jsonb(event_type)) && logins THEN 'erased' ELSE event_type
                        END,
                        last_error = CASE WHEN last_error IS NOT NULL THEN 'erased' END
                    WHERE dead_at IS NOT NULL
                      AND public.login_digests(dead_message) && logins
                      AND message_id > letter_reached
                      AND message_id <= letter_found
                      AND coalesce(public.stated_time(dead_message, received_at), received_at) <= ended
                      AND EXISTS (
                          SELECT FROM unnest(public.login_digests(dead_message)) AS named
                          WHERE named = ANY (logins)
                            -- Where the time is not known, what names the user is the user's.
                            AND public.login_was_of_another(named, public.stated_time(dead_message, received_at), erased) IS NOT TRUE
                      );
                END IF;
                entered.reached := letter_found;
        END CASE;
        IF examined < remaining THEN
            entered.reached := '';
            entered.stage := entered.stage + CASE WHEN has_logins THEN 0 ELSE 1 END;
            entered.login := CASE WHEN has_logins THEN entered.login + 1 ELSE 0 END;
        END IF;
        -- To find nothing is work, too.
        remaining := remaining - examined - 1;
    END LOOP;
    IF entered.stage < 7 THEN
        UPDATE public.erasures SET stage = entered.stage, login = entered.login, reached = coalesce(entered.reached, '')
        WHERE user_id = erased;
        RETURN false;
    END IF;
    UPDATE public.erasures
    SET stage = 0,
        login = 0,
        reached = '',
        cleared_at = coalesce(cleared_at, now()),
        finished_at = CASE WHEN entered.cleared_at IS NOT NULL THEN now() END,
        logins = CASE WHEN entered.cleared_at IS NULL THEN entered.logins ELSE '{}' END
    WHERE user_id = erased;
    RETURN entered.cleared_at IS NOT NULL OR ended >= now();
END
$$;
