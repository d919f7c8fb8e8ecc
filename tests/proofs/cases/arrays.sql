-- a stored array is taken to hold no NULL
--> ![!] : many
SELECT tags FROM users;

-- ARRAY[…] by its elements
--> ![!] ![?] : many
SELECT ARRAY[id, 1], ARRAY[id, age] FROM users;

-- nested ARRAY[…]
--> ![!] ![?] : many
SELECT ARRAY[ARRAY[id], ARRAY[1]], ARRAY[ARRAY[id], ARRAY[age]] FROM users;

-- array_agg by what it gathers
--> ![!] ![?] : many
SELECT array_agg(email), array_agg(name) FROM users GROUP BY status;

-- array_agg with FILTER
--> ?[~] : many
SELECT array_agg(name) FILTER (WHERE name IS NOT NULL) FROM users GROUP BY status;

-- array_agg over narrowed values
--> ![!] : many
SELECT array_agg(name) FROM users WHERE name IS NOT NULL GROUP BY status;

-- array_agg of arrays
--> ![!] : many
SELECT array_agg(ARRAY[id]) FROM users GROUP BY status;

-- array_agg over the nullable side of a join
--> ![?] : many
SELECT array_agg(o.id) FROM users u LEFT JOIN orders o ON o.user_id = u.id GROUP BY u.id;

-- array_agg as a window function
--> ![!] ![?] : many
SELECT array_agg(email) OVER (), array_agg(name) OVER () FROM users;

-- ARRAY of a subquery
--> ![!] ![?] : many
SELECT ARRAY(SELECT total FROM orders), ARRAY(SELECT note FROM orders) FROM users;

-- an array constant
--> ![!] ![?] : 1
SELECT '{1,2}'::int[], '{1,NULL}'::int[];

-- an array parameter, one whose elements may be None
--> ![!] : 1
SELECT $1::int[];

-- array_append and concatenation
--> ![!] ![?] ![?] : many
SELECT array_append(tags, email), array_append(tags, name), tags || name FROM users;

-- string_to_array
--> ![!] ![?] : many
SELECT string_to_array(email, '@'), string_to_array(email, '@', 'x') FROM users;

-- a slice
--> ![!] : many
SELECT tags[1:1] FROM users;

-- COALESCE of arrays
--> ![!] ![?] : many
SELECT coalesce((SELECT array_agg(note) FROM orders WHERE note IS NOT NULL), '{}'), coalesce((SELECT array_agg(note) FROM orders), '{}') FROM users;

-- a cast of an array
--> ![!] ![?] : many
SELECT ARRAY[id]::text[], ARRAY[age]::text[] FROM users;

-- array_remove keeps what its array holds
--> ![!] ![?] : many
SELECT array_remove(tags, 'a'), array_remove(ARRAY[age], 5) FROM users;

-- array_remove of NULL leaves none, but no rule knows
--> ![~] : many
SELECT array_remove(ARRAY[age], NULL) FROM users;

-- regexp_split_to_array and regexp_match
--> ![!] ?[?] : many
SELECT regexp_split_to_array(email, '@'), regexp_match(email, '(o)|(n)') FROM users;

-- unnest of ARRAY[…] in FROM
--> ! ? : many
SELECT a, b FROM users u, unnest(ARRAY[u.id]) a, unnest(ARRAY[u.age]) b;

-- a CASE of arrays
--> ![?] : many
SELECT CASE WHEN active THEN tags ELSE ARRAY[name] END FROM users;

-- a UNION of arrays
--> ![?] : many
SELECT tags FROM users UNION ALL SELECT ARRAY[NULL];

-- a cast of an array that is not written out
--> ![!] ![?] : many
SELECT array_agg(id)::text[], array_agg(age)::text[] FROM users GROUP BY status;

-- an array that may be NULL may hold NULL all the same
--> ?[?] ?[?] : many
SELECT CASE WHEN age > 1 THEN tags END || CASE WHEN active THEN ARRAY[name] END, (ARRAY[name])[1:age] FROM users;

-- a neighbour's array, by an offset that may be NULL
--> ?[?] : many
SELECT lag(ARRAY[name], age, ARRAY[name]) OVER (ORDER BY id DESC) FROM users;

-- ARRAY over a subquery of arrays holds what those hold
--> ![?] ![!] : 1
SELECT ARRAY(SELECT ARRAY['a', NULL]), ARRAY(SELECT ARRAY['a', 'b']);

-- array_agg over arrays as a window function holds what those hold
--> ![?] ![!] : many
SELECT array_agg(ARRAY['a', NULL]) OVER (), array_agg(ARRAY['a', 'b']) OVER () FROM users;
