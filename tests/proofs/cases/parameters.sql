-- a filter that its author switches off with NULL
--> ! : many : $1?*
SELECT id FROM users WHERE $1::text IS NULL OR name = $1::text;

-- the same, the other way round
--> ! : many : $1?*
SELECT id FROM users WHERE CASE WHEN $1::int IS NOT NULL THEN age = $1::int ELSE true END;

-- a tested parameter in the output
--> ? : many : $1?*
SELECT $1::text AS asked FROM users WHERE $1::text IS NULL OR name = $1::text;

-- a condition that holds for present values only proves the parameter where it is shown
--> ! : many : $1?*
SELECT $1::text AS asked FROM users WHERE $1::text IS NOT NULL;

-- a comparison that is defined for NULL
--> ! : many : $1?*
SELECT id FROM users WHERE manager_id IS NOT DISTINCT FROM $1::int;

-- its negation
--> ! : many : $1?*
SELECT id FROM users WHERE $1::int IS DISTINCT FROM manager_id;

-- a row comparison that is defined for NULL
--> ! : many : $1?* $2?*
SELECT id FROM users WHERE (name, age) IS NOT DISTINCT FROM ($1::text, $2::int);

-- COALESCE before a fallback, an optional change
--> ! : 0..1 : $1! $2?
UPDATE users SET email = coalesce($2::text, email) WHERE id = $1::int RETURNING email;

-- the last argument of COALESCE is the fallback itself
--> ? : many : $1!
SELECT name FROM users WHERE coalesce(name, $1::text) > 'a';

-- the number of NULLs
--> ! : many : $1?* $2?*
SELECT id FROM users WHERE num_nulls($1::text, $2::int) = 1 AND (name = $1::text OR age = $2::int);

-- the number of values
--> ! : many : $1?*
SELECT id FROM users WHERE num_nonnulls($1::text, name) = 1;

-- NULLs inside of an array are no NULL in its place
--> ! : many : $1!
SELECT id FROM users WHERE num_nulls(VARIADIC $1::text[]) = 0;

-- an unknown truth
--> ! : many : $1?*
SELECT id FROM users WHERE ($1::int)::boolean IS UNKNOWN OR active = ($1::int)::boolean;

-- a test of what is made of the parameter is no test of the parameter
--> ! : many : $1!
SELECT id FROM users WHERE (age > $1::int) IS NOT TRUE AND (age + $1::int) IS NULL;

-- NULLIF makes NULL of a value
--> ! : many : $1!
SELECT id FROM users WHERE name = nullif($1::text, '');

-- a test through a cast that keeps NULL
--> ! : many : $1?*
SELECT id FROM users WHERE ($1::int)::bigint IS NULL OR id = $1::int;

-- a column that refuses NULL outweighs a test
--> ! : 0..1 : $1!
UPDATE users SET email = $1::text WHERE id = 1 AND $1::text IS NOT NULL RETURNING id;

-- a test beside a write to a column that accepts NULL
--> ! : 0..1 : $1?
UPDATE users SET name = $1::text WHERE id = 1 AND name IS DISTINCT FROM $1::text RETURNING id;

-- a test of one parameter says nothing of another
--> ! : many : $1?* $2!
SELECT id FROM users WHERE ($1::text IS NULL OR name = $1::text) AND email > $2::text;

-- a domain refuses NULL when the parameter is read, whatever the column accepts
--> ! : 0..1 : $1! $2!
UPDATE users SET name = $1::loud_code WHERE id = $2::int RETURNING id;

-- also where the query tests the parameter
--> ! : many : $1!
SELECT id FROM users WHERE $1::code IS NULL OR name = $1::code;

-- so does a domain of an array's elements
--> ! : 0..1 : $1![!] $2!
UPDATE users SET tags = $1::code[] WHERE id = $2::int RETURNING id;

-- a column's domain refuses NULL, though the query tests the parameter elsewhere
--> ! : 0..1 : $1!
UPDATE choosy SET code = $1::text, loose = coalesce($1::text, 'none') WHERE id = 1 RETURNING id;

-- a domain refuses NULL whatever its CHECK looks like
--> ! : 0..1 : $1! $2!
UPDATE choosy SET there = $1::text, filled = $2::text WHERE id = 1 RETURNING id;

-- the same, where the parameter is of the domain
--> ! : 0..1 : $1!
UPDATE choosy SET loose = $1::filled WHERE id = 1 RETURNING id;

-- a column's CHECK refuses NULL whatever it looks like
--> ! : 0..1 : $1! $2!
UPDATE choosy SET judged = $1::text, counted = $2::text WHERE id = 1 RETURNING id;

-- a WITH item leads to a column that refuses NULL
--> ! : 1 : $1!
WITH x AS (SELECT coalesce($1::text, 'a') AS w, $1::text AS v)
INSERT INTO choosy (id, plain, loose, code, there, filled, judged, counted) SELECT 99, x.v, x.w, 'a', 'a', 'a', 'a', 'a' FROM x RETURNING id;

-- so does one of several queries that UNION ALL combines
--> ! : many : $1!
INSERT INTO choosy (id, plain, code, there, filled, judged, counted)
SELECT 99, $1::text, 'a', 'a', 'a', 'a', 'a' UNION ALL SELECT 100, 'b', 'a', 'a', 'a', 'a', 'a' WHERE coalesce($1::text, 'a') = 'a' RETURNING id;

-- a WITH item leads to a column that accepts NULL, and the query tests the parameter
--> ! : 0..1 : $1?
WITH x AS (SELECT coalesce($1::text, 'a') AS w, $1::text AS v) UPDATE choosy SET loose = x.v FROM x WHERE id = 1 AND x.w <> '' RETURNING id;
