-- migrate:up
-- Of one user there may be any number of traces: whoever knows an address can have attempts to log in recorded. So traces are erased in
-- batches, each in a transaction of its own, and the entry says how far they are. Those that are examined count, whether erased or not.
ALTER TABLE erasures
    ADD COLUMN cleared_at timestamptz,
    ADD COLUMN stage smallint NOT NULL DEFAULT 0,
    ADD COLUMN login integer NOT NULL DEFAULT 0,
    ADD COLUMN reached text NOT NULL DEFAULT '';
COMMENT ON COLUMN erasures.cleared_at IS 'When all traces had been erased for the first time; requests of before may write others.';
COMMENT ON COLUMN erasures.stage IS 'Which traces are erased next.';
COMMENT ON COLUMN erasures.login IS 'For which of the addresses: 0 for the user, then as numbered in logins.';
COMMENT ON COLUMN erasures.reached IS 'After which one in their order: a number or an id.';
-- Until now all traces were erased together with the user.
UPDATE erasures SET cleared_at = erased_at;
DROP INDEX erasures_unfinished_idx;
CREATE INDEX erasures_unfinished_idx ON erasures (erased_at, user_id) WHERE finished_at IS NULL;

-- So that a batch begins where the previous one has ended.
CREATE INDEX audit_log_actor_id_idx ON audit_log (actor, id);
DROP INDEX audit_log_actor_idx;
DROP INDEX outbox_login_digest_idx;
CREATE INDEX outbox_login_digest_idx ON outbox (login_digest(substr(aggregate, 7)), position) WHERE event_type = 'AuthenticationFailed';

-- The digests of all addresses in a message. An address is a whole word there: a part of it may be the address of another user.
CREATE FUNCTION login_digests(message jsonb) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1000
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
DROP INDEX inbox_login_digest_idx;
CREATE INDEX inbox_login_digests_idx ON inbox USING gin (login_digests(dead_message)) WITH (fastupdate = off) WHERE dead_at IS NOT NULL;

-- When a message says that it occurred; NULL where it does not say so, or claims a time at which it had been received already.
CREATE FUNCTION stated_time(message jsonb, received_at timestamptz) RETURNS timestamptz LANGUAGE plpgsql STABLE
SET timezone = 'UTC' AS $$
DECLARE
    stated timestamptz;
BEGIN
    stated := message ->> 'occurred_at';
    RETURN CASE WHEN stated <= received_at THEN stated END;
EXCEPTION
    WHEN data_exception THEN
        RETURN NULL;
END
$$;

-- The content of a dead letter without the address. That of a failed login keeps its form, with an address that belongs to nobody; of others
-- nothing but the type and the time of arrival remains.
CREATE FUNCTION without_address(letter inbox, logins text[], nobody text) RETURNS jsonb LANGUAGE sql STABLE
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
REVOKE ALL ON FUNCTION without_address(inbox, text[], text) FROM PUBLIC;

DROP FUNCTION finish_erasure(uuid);
DROP FUNCTION erase_traces(uuid);

-- Erases the next traces in other tables of a user who was erased or deleted; of another one nothing. Returns whether that was all for now,
-- and NULL if there was nothing to do, or another transaction does it. When all are erased, and requests of before have ended, everything is
-- searched once more, for what they have written: then the erasure is finished. Of an address only what is of the time until then is erased,
-- and of no other user. The work is bounded by the number of traces to examine: a plan must not walk through the traces of others because
-- most are those of this user, so plans are generic, and what counts is how many rows are read. Processes of the previous version name no
-- number.
CREATE FUNCTION erase_traces(erased uuid, at_most integer DEFAULT 5000) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
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
REVOKE ALL ON FUNCTION erase_traces(uuid, integer) FROM PUBLIC;

-- migrate:down
DROP FUNCTION erase_traces(uuid, integer);
DROP FUNCTION without_address(inbox, text[], text);
DROP FUNCTION stated_time(jsonb, timestamptz);
DROP INDEX inbox_login_digests_idx;
DROP FUNCTION login_digests(jsonb);
CREATE INDEX inbox_login_digest_idx ON inbox (login_digest(substr(dead_message ->> 'aggregate', 7)))
    WHERE dead_at IS NOT NULL AND event_type = 'AuthenticationFailed';
DROP INDEX outbox_login_digest_idx;
CREATE INDEX outbox_login_digest_idx ON outbox (login_digest(substr(aggregate, 7))) WHERE event_type = 'AuthenticationFailed';
CREATE INDEX audit_log_actor_idx ON audit_log (actor);
DROP INDEX audit_log_actor_id_idx;
DROP INDEX erasures_unfinished_idx;
CREATE INDEX erasures_unfinished_idx ON erasures (erased_at) WHERE finished_at IS NULL;
ALTER TABLE erasures DROP COLUMN cleared_at, DROP COLUMN stage, DROP COLUMN login, DROP COLUMN reached;
CREATE FUNCTION erase_traces(erased uuid) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
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
REVOKE ALL ON FUNCTION erase_traces(uuid) FROM PUBLIC;
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
