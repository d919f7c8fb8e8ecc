-- migrate:up
-- The search for addresses in a dead letter takes a second or two at most, whatever its sender wrote: escapes are decoded in one pass, what several
-- readings have in common is examined once, and the content of a message that can be read in too many ways is not kept.

-- The text with its escapes decoded to what may be a character of an address, and else to spaces. The parts of the expression: the escape,
-- its digits if they are hexadecimal (up to the fifth part), octal (the sixth), and decimal (the eighth).
CREATE OR REPLACE FUNCTION unescaped(encoded text, escapes text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT string_agg(
        concat(
            plain,
            CASE
                WHEN token IS NULL THEN ''
                WHEN code BETWEEN 33 AND 126 AND chr(code) ~ '[A-Za-z0-9.!#$%&''*+/=?^_`{|}~@-]' THEN chr(code)
                ELSE ' '
            END
        ),
        '' ORDER BY number
    )
    FROM ROWS FROM (regexp_split_to_table(encoded, escapes), regexp_matches(encoded, escapes, 'g')) WITH ORDINALITY AS part (plain, token, number)
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN token[6] <> ''
            THEN 64 * substr(token[6], 1, 1)::integer + 8 * substr(token[6], 2, 1)::integer + substr(token[6], 3, 1)::integer
            WHEN token[8] <> '' THEN token[8]::integer
            WHEN concat(token[2], token[3], token[4], token[5]) <> ''
            THEN ('x' || lpad(concat(token[2], token[3], token[4], token[5]), 8, '0'))::bit(32)::integer
            WHEN token[1] = '&amp;' THEN ascii('&')
            WHEN token[1] = '&apos;' THEN ascii('''')
            WHEN token[1] = '&commat;' THEN ascii('@')
            WHEN token[1] = '&period;' THEN ascii('.')
            -- A sign stands for itself, as an apostrophe in a string.
            WHEN right(token[1], 1) ~ '[.!#$%&''*+/=?^_`{|}~@-]' THEN ascii(right(token[1], 1))
        END
    ) AS meaning (code)
);

-- What the text of a message says, in each way to read its escapes that makes a difference. If that is more than 2^21 characters, the last
-- row is NULL.
CREATE OR REPLACE FUNCTION readings(stored text) RETURNS SETOF text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    in_code CONSTANT text := '(\\+(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|[ux]\{([0-9A-Fa-f]{1,6})\}|U([0-9A-Fa-f]{8})|([0-3][0-7]{2})|.))';
    in_pages CONSTANT text := '(&#[xX]([0-9A-Fa-f]{1,6});?|&#()()()()()([0-9]{1,7});?|&[A-Za-z]{2,8};)';
    in_urls CONSTANT text := '(%(?:25)*([0-9A-Fa-f]{2}))';
    in_mail CONSTANT text := '(=([0-9A-Fa-f]{2}))';
    texts text[] := ARRAY[stored];
    outer_reading text;
    reading text;
    left_over integer := 2097152;
BEGIN
    -- Lines that a mail continues.
    IF stored ~ '=(\\+r)?\\+n' THEN
        texts := texts || regexp_replace(stored, '=(\\+r)?\\+n', '', 'g');
    END IF;
    -- Each second byte of UTF-16.
    IF stored ~ '\\(x00|u0000)' THEN
        texts := texts || regexp_replace(stored, '\\+(x00|u0000)', '', 'g');
    END IF;
    IF stored ~ in_pages THEN
        -- A page may be part of another.
        texts := texts || ARRAY(
            SELECT DISTINCT each FROM unnest(texts) AS one
            CROSS JOIN LATERAL public.unescaped(one, in_pages) AS outer_page
            CROSS JOIN LATERAL (VALUES (outer_page), (public.unescaped(outer_page, in_pages))) AS read (each)
        );
    END IF;
    -- With backslashes as parts of escapes, and as signs of their own, as in paths.
    texts := ARRAY(
        SELECT DISTINCT each FROM unnest(texts) AS one
        CROSS JOIN LATERAL (
            VALUES (public.unescaped(one, in_code)), (regexp_replace(regexp_replace(one, '\\+''', '''', 'g'), '\\+', ' ', 'g'))
        ) AS read (each)
    );
    FOREACH outer_reading IN ARRAY texts LOOP
        FOR reading IN
            -- URLs may be in a mail.
            WITH mails AS (
                SELECT outer_reading AS mail
                UNION
                SELECT public.unescaped(outer_reading, in_mail) WHERE outer_reading ~ in_mail
            )
            SELECT mail FROM mails
            UNION
            SELECT public.unescaped(mail, in_urls) FROM mails WHERE mail ~ in_urls
            UNION
            -- In a form, a plus is a space.
            SELECT public.unescaped(replace(mail, '+', ' '), in_urls) FROM mails WHERE mail ~ in_urls AND strpos(mail, '+') > 0
        LOOP
            left_over := left_over - length(reading);
            IF left_over < 0 THEN
                RETURN NEXT NULL;
                RETURN;
            END IF;
            RETURN NEXT reading;
        END LOOP;
    END LOOP;
END
$$;

-- The digests of all addresses in a message; NULL if it can be read in too many ways. An address is a whole word there: a part of it may be
-- the address of another user. That of a failed login is all that is in its fields, signs at its ends included.
CREATE OR REPLACE FUNCTION login_digests(message jsonb) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1000
RETURN (
    WITH logins AS (
        SELECT DISTINCT login
        FROM (VALUES
            (substring(message ->> 'aggregate' FROM '^login:(.*)$')),
            (message -> 'payload' ->> 'email'),
            (message -> 'payload' -> 'email' ->> 'text')
        ) AS fields (login)
        WHERE length(login) <= 100 AND login ~ '^[A-Za-z0-9.!#$%&''*+/=?^_`{|}~-]+@([A-Za-z0-9-]+\.)+[A-Za-z0-9-]+$'
    ),
    others AS (
        SELECT coalesce(
            regexp_replace(
                message::text,
                '"(?:login:)?(?:' || (SELECT string_agg(regexp_replace(login, '([.!#$%&''*+/=?^_`{|}~-])', '\\\1', 'g'), '|') FROM logins) || ')"',
                '""', 'g'
            ),
            message::text
        ) AS stored
    ),
    contents AS MATERIALIZED (
        SELECT content FROM others CROSS JOIN LATERAL public.readings(stored) AS content
    ),
    runs AS (
        -- Most of them are in each reading.
        SELECT DISTINCT found[1] AS run
        FROM contents
        CROSS JOIN LATERAL regexp_matches(
            content, '[A-Za-z0-9.!#$%&''*+/=?^_`{|}~@-]+@[A-Za-z0-9.!#$%&''*+/=?^_`{|}~@-]+', 'g'
        ) AS found
    )
    SELECT CASE WHEN NOT EXISTS (SELECT FROM contents WHERE content IS NULL) THEN coalesce(array_agg(public.login_digest(word)), '{}') END
    FROM (
        SELECT lower(word)
        FROM (
            SELECT candidate
            FROM runs
            CROSS JOIN LATERAL (
                -- Signs around a word may be those of the text around it, as apostrophes are, and are no end of an address.
                SELECT within.candidate
                FROM (SELECT rtrim(run, '.!#$%&''*+/=?^_`{|}~-') AS part) AS parts
                CROSS JOIN LATERAL (VALUES
                    (part),
                    (ltrim(part, '.!#$%&''*+/=?^_`{|}~@-')),
                    (rtrim(substring(ltrim(part, '.!#$%&''*+/=?^_`{|}~@-') FROM '^[^@]+@[A-Za-z0-9.-]+'), '.-')),
                    (ltrim(substring(part FROM '[^=]*$'), '.!#$%&''*+/=?^_`{|}~-')),
                    (ltrim(substring(part FROM '[^'']*$'), '.!#$%&''*+/=?^_`{|}~-'))
                ) AS within (candidate)
                UNION ALL
                -- Between signs that separate words in URLs, settings and code, and are rarely part of an address.
                SELECT rtrim(narrow[1], '.!#$%+^_~-')
                FROM regexp_matches(run, '[A-Za-z0-9.!#$%+^_~@-]+@[A-Za-z0-9.!#$%+^_~@-]+', 'g') AS narrow
                UNION ALL
                -- An apostrophe is one in names. In SQL it is doubled, and after an address it ends a string or begins a genitive.
                SELECT within.candidate
                FROM regexp_matches(run, '[A-Za-z0-9.!#$%''+^_~@-]+@[A-Za-z0-9.!#$%''+^_~@-]+', 'g') AS narrow
                CROSS JOIN LATERAL (SELECT btrim(narrow[1], '.!#$%''+^_~@-') AS part) AS parts
                CROSS JOIN LATERAL (VALUES
                    (part),
                    (substring(replace(part, '''''', '''') FROM '^[^@]*@[^'']*')),
                    (substring(part FROM '^[^''@]*''([^@]*@[^'']*)'))
                ) AS within (candidate)
                WHERE strpos(narrow[1], '''') > 0
            ) AS candidates (candidate)
            UNION ALL
            SELECT login FROM logins
        ) AS words (word)
        WHERE word LIKE '%_@_%' AND length(word) <= 100
        GROUP BY lower(word)
    ) AS found (word)
);

-- What is larger than 64 KiB is no event of this service, nor is what has escapes for more than 2^21 characters, and its content is not kept:
-- its sender could make the search take as long as he likes. It is in the stream until the broker removes it.
CREATE OR REPLACE FUNCTION inbox_bury() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    entered public.erasures;
    size CONSTANT integer := octet_length(NEW.dead_message::text);
    reason text;
BEGIN
    NEW.dead_logins := CASE WHEN size <= 65536 THEN public.login_digests(NEW.dead_message) END;
    reason := CASE WHEN size > 65536 THEN 'too large' WHEN size > 0 AND NEW.dead_logins IS NULL THEN 'too many escapes' END;
    IF reason IS NOT NULL THEN
        NEW.dead_message := jsonb_build_object(
            'id', NEW.message_id,
            'aggregate', 'unreadable',
            'event_type', NEW.event_type,
            'version', 1,
            'payload', format('%s bytes, %s to be kept', size, reason),
            'trace_id', '',
            'occurred_at', NEW.received_at
        );
        NEW.last_error := CASE WHEN NEW.last_error IS NOT NULL THEN reason END;
        NEW.dead_logins := public.login_digests(NEW.dead_message);
    END IF;
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

-- The content of a dead letter without the address. That of a failed login keeps its form, with an address that belongs to nobody; of others
-- nothing but the type and the time of arrival remains.
CREATE OR REPLACE FUNCTION without_address(letter inbox, logins text[], nobody text) RETURNS jsonb LANGUAGE sql STABLE
RETURN CASE
    WHEN CASE
        WHEN letter.event_type <> 'AuthenticationFailed' OR jsonb_typeof(letter.dead_message) <> 'object' THEN false
        -- Events of failed logins have some hundred bytes. To search a large message once more takes long.
        WHEN octet_length(letter.dead_message::text) > 2000 THEN false
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

-- The trigger of the table computes their digests again, and empties those of users who were erased.
UPDATE inbox SET dead_message = dead_message WHERE dead_message IS NOT NULL;

-- migrate:down
CREATE OR REPLACE FUNCTION unescaped(encoded text, escapes text) RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    decoded text := encoded;
    escape text;
    code integer;
BEGIN
    -- The longest first: a shorter one may be a part of it.
    FOR escape, code IN
        SELECT token[1], CASE
            WHEN token[6] <> ''
            THEN 64 * substr(token[6], 1, 1)::integer + 8 * substr(token[6], 2, 1)::integer + substr(token[6], 3, 1)::integer
            WHEN token[8] <> '' THEN token[8]::integer
            WHEN concat(token[2], token[3], token[4], token[5]) <> ''
            THEN ('x' || lpad(concat(token[2], token[3], token[4], token[5]), 8, '0'))::bit(32)::integer
            WHEN token[1] = '&amp;' THEN ascii('&')
            WHEN token[1] = '&apos;' THEN ascii('''')
            -- A sign stands for itself, as an apostrophe in a string.
            WHEN right(token[1], 1) ~ '[.!#$%&''*+/=?^_`{|}~@-]' THEN ascii(right(token[1], 1))
        END
        FROM (SELECT DISTINCT token FROM regexp_matches(encoded, escapes, 'g') AS token) AS tokens
        ORDER BY length(token[1]) DESC
    LOOP
        IF code BETWEEN 33 AND 126 AND chr(code) ~ '[A-Za-z0-9.!#$%&''*+/=?^_`{|}~@-]' THEN
            -- As a character for private use, so that what is decoded is no part of another escape.
            decoded := replace(decoded, escape, chr(57344 + code));
        END IF;
    END LOOP;
    -- All others at once: in bytes that are no text there are thousands of them.
    decoded := regexp_replace(decoded, escapes, ' ', 'g');
    RETURN (SELECT translate(decoded, string_agg(chr(57344 + sign), ''), string_agg(chr(sign), '')) FROM generate_series(33, 126) AS sign);
END
$$;
CREATE OR REPLACE FUNCTION readings(stored text) RETURNS SETOF text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    in_code CONSTANT text := '(\\+(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|u\{([0-9A-Fa-f]{1,6})\}|U([0-9A-Fa-f]{8})|([0-3][0-7]{2})|.))';
    in_pages CONSTANT text := '(&#[xX]([0-9A-Fa-f]{1,6});|&#()()()()()([0-9]{1,7});|&[A-Za-z]{2,8};)';
    in_urls CONSTANT text := '(%(?:25)*([0-9A-Fa-f]{2}))';
    in_mail CONSTANT text := '(=([0-9A-Fa-f]{2}))';
    texts text[] := ARRAY[stored];
    reading text;
BEGIN
    -- Lines that a mail continues.
    IF stored ~ '=(\\+r)?\\+n' THEN
        texts := texts || regexp_replace(stored, '=(\\+r)?\\+n', '', 'g');
    END IF;
    -- Each second byte of UTF-16.
    IF stored ~ '\\(x00|u0000)' THEN
        texts := texts || regexp_replace(stored, '\\+(x00|u0000)', '', 'g');
    END IF;
    IF stored ~ in_pages THEN
        -- A page may be part of another.
        texts := texts || ARRAY(
            SELECT DISTINCT each FROM unnest(texts) AS one
            CROSS JOIN LATERAL public.unescaped(one, in_pages) AS outer_page
            CROSS JOIN LATERAL (VALUES (outer_page), (public.unescaped(outer_page, in_pages))) AS read (each)
        );
    END IF;
    -- With backslashes as parts of escapes, and as signs of their own, as in paths.
    texts := ARRAY(
        SELECT DISTINCT each FROM unnest(texts) AS one
        CROSS JOIN LATERAL (
            VALUES (public.unescaped(one, in_code)), (regexp_replace(regexp_replace(one, '\\+''', '''', 'g'), '\\+', ' ', 'g'))
        ) AS read (each)
    );
    FOREACH reading IN ARRAY texts LOOP
        RETURN NEXT reading;
        IF reading ~ in_urls THEN
            RETURN NEXT public.unescaped(reading, in_urls);
            -- In a form, a plus is a space.
            IF strpos(reading, '+') > 0 THEN
                RETURN NEXT public.unescaped(replace(reading, '+', ' '), in_urls);
            END IF;
        END IF;
        IF reading ~ in_mail THEN
            RETURN NEXT public.unescaped(reading, in_mail);
        END IF;
    END LOOP;
END
$$;
CREATE OR REPLACE FUNCTION login_digests(message jsonb) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1000
RETURN (
    WITH logins AS (
        SELECT DISTINCT login
        FROM (VALUES
            (substring(message ->> 'aggregate' FROM '^login:(.*)$')),
            (message -> 'payload' ->> 'email'),
            (message -> 'payload' -> 'email' ->> 'text')
        ) AS fields (login)
        WHERE length(login) <= 100 AND login ~ '^[A-Za-z0-9.!#$%&''*+/=?^_`{|}~-]+@([A-Za-z0-9-]+\.)+[A-Za-z0-9-]+$'
    ),
    others AS (
        SELECT coalesce(
            regexp_replace(
                message::text,
                '"(?:login:)?(?:' || (SELECT string_agg(regexp_replace(login, '([.!#$%&''*+/=?^_`{|}~-])', '\\\1', 'g'), '|') FROM logins) || ')"',
                '""', 'g'
            ),
            message::text
        ) AS stored
    )
    SELECT coalesce(array_agg(public.login_digest(word)), '{}')
    FROM (
        SELECT lower(word)
        FROM (
            SELECT candidate
            FROM others
            CROSS JOIN LATERAL public.readings(stored) AS content
            CROSS JOIN LATERAL (
                -- Signs around a word may be those of the text around it, as apostrophes are, and are no end of an address.
                SELECT within.candidate
                FROM regexp_matches(content, '[A-Za-z0-9.!#$%&''*+/=?^_`{|}~@-]+@[A-Za-z0-9.!#$%&''*+/=?^_`{|}~@-]+', 'g') AS run
                CROSS JOIN LATERAL (SELECT rtrim(run[1], '.!#$%&''*+/=?^_`{|}~-') AS part) AS parts
                CROSS JOIN LATERAL (VALUES
                    (part),
                    (ltrim(part, '.!#$%&''*+/=?^_`{|}~@-')),
                    (rtrim(substring(ltrim(part, '.!#$%&''*+/=?^_`{|}~@-') FROM '^[^@]+@[A-Za-z0-9.-]+'), '.-')),
                    (ltrim(substring(part FROM '[^=]*$'), '.!#$%&''*+/=?^_`{|}~-')),
                    (ltrim(substring(part FROM '[^'']*$'), '.!#$%&''*+/=?^_`{|}~-'))
                ) AS within (candidate)
                UNION ALL
                -- Between signs that separate words in URLs, settings and code, and are rarely part of an address.
                SELECT rtrim(run[1], '.!#$%+^_~-')
                FROM regexp_matches(content, '[A-Za-z0-9.!#$%+^_~@-]+@[A-Za-z0-9.!#$%+^_~@-]+', 'g') AS run
                UNION ALL
                -- An apostrophe is one in names. In SQL it is doubled, and after an address it ends a string or begins a genitive.
                SELECT within.candidate
                FROM regexp_matches(content, '[A-Za-z0-9.!#$%''+^_~@-]+@[A-Za-z0-9.!#$%''+^_~@-]+', 'g') AS run
                CROSS JOIN LATERAL (SELECT btrim(run[1], '.!#$%''+^_~@-') AS part) AS parts
                CROSS JOIN LATERAL (VALUES
                    (part),
                    (substring(replace(part, '''''', '''') FROM '^[^@]*@[^'']*')),
                    (substring(part FROM '^[^''@]*''([^@]*@[^'']*)'))
                ) AS within (candidate)
                WHERE strpos(run[1], '''') > 0
            ) AS candidates (candidate)
            UNION ALL
            SELECT login FROM logins
        ) AS words (word)
        WHERE word LIKE '%_@_%' AND length(word) <= 100
        GROUP BY lower(word)
    ) AS found (word)
);
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
CREATE OR REPLACE FUNCTION inbox_bury() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    entered public.erasures;
    size CONSTANT integer := octet_length(NEW.dead_message::text);
BEGIN
    IF size > 65536 THEN
        NEW.dead_message := jsonb_build_object(
            'id', NEW.message_id,
            'aggregate', 'unreadable',
            'event_type', NEW.event_type,
            'version', 1,
            'payload', format('%s bytes, too large to be kept', size),
            'trace_id', '',
            'occurred_at', NEW.received_at
        );
        NEW.last_error := CASE WHEN NEW.last_error IS NOT NULL THEN 'too large' END;
    END IF;
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
UPDATE inbox SET dead_message = dead_message WHERE dead_message IS NOT NULL;
