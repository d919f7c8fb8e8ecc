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
