-- constants
--> ! ! ? : 1
SELECT 1, 'text', NULL::int;

-- a parameter, and one that sqlc.narg asks for
--> ! ? : 1 : $2?
SELECT $1::int, $2::text;

-- casts keep NULL and make none
--> ! ? ! : many
SELECT id::text, age::bigint, status::text FROM users;

-- casts through text, to an enum, to a date
--> ! ! : many
SELECT status::text::mood, joined_at::text::timestamptz::date FROM users;

-- a cast to a NOT NULL domain refuses NULL
--> ! : many
SELECT coalesce(name, 'x')::code FROM users;

-- a cast to a domain that allows NULL
--> ? : many
SELECT upper(name)::shout FROM users;

-- an infinite timestamp has no time of day
--> ? : many
SELECT placed_on::timestamp::time FROM orders;

-- a cast of a JSON scalar may be NULL
--> ~ : many
SELECT ('1'::jsonb)::int FROM users;

-- COALESCE
--> ! ? ! : many
SELECT coalesce(name, 'none'), coalesce(name, motto), coalesce(name, motto, email) FROM users;

-- COALESCE with NULL
--> ? ! : many
SELECT coalesce(name, NULL), coalesce(NULL, email) FROM users;

-- NULLIF
--> ? : many
SELECT nullif(email, 'bob@x') FROM users;

-- COALESCE over NULLIF
--> ! : many
SELECT coalesce(nullif(email, ''), 'none') FROM users;

-- CASE without ELSE
--> ? : many
SELECT CASE WHEN age > 1 THEN 'old' END FROM users;

-- CASE with ELSE
--> ! ? : many
SELECT CASE WHEN age > 1 THEN 'old' ELSE 'young' END, CASE WHEN age > 1 THEN name ELSE 'young' END FROM users;

-- CASE: the condition narrows its branch
--> ! ! : many
SELECT CASE WHEN name IS NOT NULL THEN name ELSE 'none' END, CASE WHEN name IS NULL THEN 'none' ELSE name END FROM users;

-- CASE: a comparison narrows its branch
--> ! ? : many
SELECT CASE WHEN age > 1 THEN age ELSE 0 END, CASE WHEN age > 1 THEN 0 ELSE age END FROM users;

-- a simple CASE narrows what it tests
--> ! ? : many
SELECT CASE age WHEN 30 THEN age ELSE 0 END, CASE age WHEN 30 THEN 0 ELSE age END FROM users;

-- CASE: later branches know that earlier conditions were not true
--> ! : many
SELECT CASE WHEN name IS NULL THEN 'none' WHEN age = 0 THEN name ELSE name END FROM users;

-- CASE: a volatile expression is not narrowed, a column is
--> ? : many
SELECT CASE WHEN nullif(random() < 0.5, false) IS NOT NULL THEN nullif(random() < 0.5, false) ELSE true END FROM users CROSS JOIN generate_series(1, 20);

-- CASE with ELSE NULL
--> ? : many
SELECT CASE WHEN active THEN 1 ELSE NULL END FROM users;

-- GREATEST and LEAST pass over NULLs
--> ! ? : many
SELECT greatest(age, id), least(age, manager_id) FROM users;

-- ARRAY[…] and ROW(…)
--> ! ! : many
SELECT ARRAY[age], ROW(age, name) FROM users;

-- an element of an array
--> ? : many
SELECT tags[1] FROM users;

-- a slice of an array
--> ! ! ? : many
SELECT tags[1:2], tags[:1], tags[1:age] FROM users;

-- an element of a jsonb
--> ? ? : many
SELECT prefs['a'], prefs -> 'a' FROM users;

-- a field of a row that is written out
--> ! ? : many
SELECT (ROW(id, name)::record_pair).a, (ROW(id, name)::record_pair).b FROM users;

-- a comparison of a column that may be NULL
--> ! ? ? : many
SELECT id = 1, age = 1, age > id FROM users;

-- IS NULL, IS DISTINCT FROM and boolean tests are never NULL
--> ! ! ! ! ! : many
SELECT age IS NULL, name IS NOT NULL, age IS DISTINCT FROM 1, age IS NOT DISTINCT FROM manager_id, (age > 1) IS TRUE FROM users;

-- IS UNKNOWN, of a row
--> ! ! ! : many
SELECT (age > 1) IS UNKNOWN, wallet IS NULL, u IS NOT NULL FROM users u;

-- AND, OR, NOT
--> ! ? ? : many
SELECT active AND id > 1, active AND age > 1, NOT (age > 1) FROM users;

-- AND and OR: what the first condition says helps the second
--> ! ! : many
SELECT age IS NOT NULL AND age > 1, age IS NULL OR age > 1 FROM users;

-- AND and OR the other way around still give an answer, but no rule knows
--> ~ ~ : many
SELECT age > 1 AND age IS NOT NULL, age > 1 OR age IS NULL FROM users;

-- EXISTS
--> ! : many
SELECT EXISTS (SELECT 1 FROM orders o WHERE o.user_id = u.id) FROM users u;

-- IN a list
--> ! ? ? : many
SELECT id IN (1, 2), age IN (1, 2), id IN (1, NULL, 99) FROM users;

-- IN a subquery
--> ! ? ? : many
SELECT id IN (SELECT user_id FROM orders), age IN (SELECT user_id FROM orders), id + 50 IN (SELECT manager_id FROM users) FROM users;

-- NOT IN a subquery
--> ! ? : many
SELECT id NOT IN (SELECT user_id FROM orders), id + 50 NOT IN (SELECT manager_id FROM users) FROM users;

-- ANY and ALL of an array parameter
--> ! ! : many
SELECT id = ANY ($1::int[]), id <> ALL ($1::int[]) FROM users;

-- ANY of a stored array
--> ! ? : many
SELECT 'a' = ANY (tags), name = ANY (tags || 'q'::text) FROM users;

-- ANY of an array with NULLs
--> ? : many
SELECT id = ANY (ARRAY[1, age]) FROM users;

-- ANY and ALL of a subquery
--> ! ? : many
SELECT id >= ALL (SELECT user_id FROM orders), id > ANY (SELECT manager_id FROM users) FROM users;

-- a comparison of rows
--> ! ? ! : many
SELECT (id, email) < (1, 'x'), (id, age) > (6, 1), (id, email) = (1, 'x') FROM users;

-- a scalar subquery
--> ? ? : many
SELECT (SELECT total FROM orders WHERE user_id = u.id LIMIT 1), (SELECT max(total) FROM orders) FROM users u;

-- a scalar subquery of exactly one row
--> ! ? ! : many
SELECT (SELECT count(*) FROM orders), (SELECT u.name), (SELECT u.email) FROM users u;

-- a scalar subquery of exactly one row, filtered
--> ? : many
SELECT (SELECT count(*) FROM orders HAVING count(*) > 100) FROM users;

-- COALESCE around a scalar subquery
--> ! : many
SELECT coalesce((SELECT max(total) FROM orders), 0) FROM users;

-- ARRAY of a subquery
--> ! : many
SELECT ARRAY(SELECT note FROM orders) FROM users;

-- a row from a subquery is compared
--> ? : many
SELECT (id, age) = (SELECT user_id, 1 FROM orders LIMIT 1) FROM users;

-- arithmetic and concatenation
--> ! ? ! ? : many
SELECT id + 1, age * 2, email || 'x', name || 'x' FROM users;

-- total functions
--> ! ! ! ? : many
SELECT lower(email), length(email), round(id::numeric, 2), upper(name) FROM users;

-- functions that return NULL for some values that are not
--> ? ? ? : many
SELECT substring(email from '[0-9]'), array_length(tags, 1), prefs ->> 'n' FROM users;

-- regexp_match and array_position
--> ? ? : many
SELECT regexp_match(email, '[0-9]'), array_position(tags, 'z') FROM users;

-- concat and format
--> ! ! ! ? : many
SELECT concat(name, motto), format('%s', name), concat_ws(',', name), concat_ws(name, 'a') FROM users;

-- array functions that do not mind NULL
--> ! ! ! ? : many
SELECT array_append(tags, name), array_prepend(name, tags), array_cat(NULL, tags), string_to_array(name, ',') FROM users;

-- date and time functions
--> ! ! ! ! : 1
SELECT now(), current_date, clock_timestamp(), date_trunc('day', now());

-- extract: of infinity, only some fields have a value
--> ? ! : many
SELECT extract(day from coalesce(placed_on, 'infinity')), extract(epoch from coalesce(placed_on, 'infinity')) FROM orders;

-- extract from a time
--> ! : 1
SELECT extract(hour from localtime);

-- the age of something
--> ! ? : many
SELECT now() - joined_at, now() - seen_at FROM users;

-- current_user and the current schema
--> ! ~ : 1
SELECT current_user, current_schema;

-- a user's function
--> ? ? : many
SELECT maybe(id), strict_maybe(id) FROM users;

-- a user's function that returns a NOT NULL domain: without a row, an SQL function returns a NULL that is not checked
--> ? : many
SELECT coded(age) FROM users;

-- a strict function that returns a NOT NULL domain is not called for NULL
--> ? : many
SELECT strict_coded(age) FROM users;

-- a user's operator
--> ? : many
SELECT id === 2 FROM users;

-- a sequence
--> ! : 1
SELECT nextval('orders_id_seq');

-- random and uuid
--> ! ! : 1
SELECT random(), gen_random_uuid();

-- JSON constructors as functions
--> ! ! ? ! : many
SELECT jsonb_build_object('a', name), to_jsonb(email), to_jsonb(name), jsonb_build_array(name) FROM users;

-- JSON operators
--> ! ? ! : many
SELECT coalesce(prefs, '{}') ? 'a', prefs @> '{}', coalesce(prefs, '{}') || '[]' FROM users;

-- row_to_json
--> ! ? : many
SELECT row_to_json(u), row_to_json(o) FROM users u LEFT JOIN orders o ON o.user_id = u.id;

-- text search
--> ! ! : many
SELECT to_tsvector('simple', email), to_tsvector('simple', email) @@ to_tsquery('simple', 'x') FROM users;

-- ranges
--> ! ! ? ? : many
SELECT int4range(id, 9), int4range(age, NULL), lower(int4range(NULL, id)), upper('empty'::int4range) FROM users;

-- LIKE and regular expressions
--> ! ? ! : many
SELECT email LIKE '%x', name LIKE '%x', email ~ 'x' FROM users;

-- BETWEEN
--> ! ? : many
SELECT id BETWEEN 1 AND 3, id BETWEEN 1 AND age FROM users;

-- a COLLATE
--> ! ? : many
SELECT email COLLATE "C", name COLLATE "C" FROM users;

-- AT TIME ZONE
--> ! : many
SELECT joined_at AT TIME ZONE 'UTC' FROM users;

-- a set-returning function in the target list
--> ! ! : many
SELECT id, generate_series(1, 2) FROM users;

-- two set-returning functions: the shorter is filled up
--> ? ? : many
SELECT generate_series(1, 3), generate_series(1, age) FROM users;

-- unnest in the target list
--> ! ? : many
SELECT x.tag, x.age FROM (SELECT unnest(tags) AS tag, age FROM users) x;

-- unnest of an array that may hold NULL
--> ? : many
SELECT unnest(ARRAY[id, age]) FROM users;

-- generate_series in FROM
--> ! : many
SELECT g FROM generate_series(1, 3) g;

-- unnest in FROM, of a parameter
--> ! : many
SELECT t FROM unnest($1::int[]) t;

-- WITH ORDINALITY
--> ! ! : many
SELECT t, n FROM unnest(ARRAY['a', 'b']) WITH ORDINALITY u(t, n);

-- ROWS FROM fills up
--> ? ? ! : many
SELECT a, b, n FROM ROWS FROM (generate_series(1, 2), generate_series(1, $1::int)) WITH ORDINALITY r(a, b, n);

-- unnest of several arrays fills up
--> ? ? : many
SELECT a, b FROM unnest(ARRAY[1, 2], ARRAY['x']) u(a, b) UNION ALL SELECT NULL, NULL;

-- jsonb_each and jsonb_array_elements
--> ! ! ! ? : many
SELECT a.key, a.value, t.key, t.value FROM jsonb_each('{"a": null}') a, jsonb_each_text('{"a": null}') t;

-- jsonb_array_elements_text
--> ? ! : many
SELECT t, e FROM jsonb_array_elements_text('[null]') t, jsonb_array_elements('[null]') e;

-- a LEFT JOIN to a function
--> ! ? : many
SELECT u.id, t FROM users u LEFT JOIN unnest(u.tags) t ON true;

-- a function that returns a table
--> ~ ? : many
SELECT a, b FROM table_of(1);

-- jsonb_to_recordset
--> ? : many
SELECT a FROM jsonb_to_recordset('[{}]') AS r(a int);

-- a scalar function in FROM
--> ! ? : 1
SELECT a, b FROM lower('X') a, nullif(1, 1) b;

-- string_to_table
--> ! ? : many
SELECT a, b FROM string_to_table('a,b', ',') a, string_to_table('a,b', ',', 'b') b;

-- a varchar is a text
--> ! : many
SELECT sku::text FROM items;

-- functions in SQL that call a user's cast to text, which may return NULL
--> ? ? ? ! : 1
SELECT quote_literal(p), 'a' || p, p || 'a', quote_nullable(p) FROM (SELECT ROW(1, 'a')::record_pair) s (p);

-- functions in SQL that cast what has no cast of its own
--> ! ! ! : many
SELECT quote_literal(id), 'a' || id, status || 'a' FROM users;

-- trimming, emptiness, merging, removing
--> ! ! ! ! : many
SELECT trim(email), isempty(int4range(id, id)), range_merge(int4range(id, id), '[1,2)'), coalesce(prefs, '{}') #- '{a}' FROM users;

-- locks by a program's own numbers
--> ! ! : 1
SELECT pg_try_advisory_lock(1, 2), pg_advisory_unlock_all();

-- a cast to a domain that refuses NULL
--> ! : many
SELECT nullif(name, 'zzz')::code FROM users WHERE name IS NOT NULL;
