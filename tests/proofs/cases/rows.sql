-- by primary key
--> ! : 0..1
SELECT email FROM users WHERE id = $1::int;

-- by primary key, the other way around
--> ! : 0..1
SELECT email FROM users WHERE $1::int = id;

-- by primary key and more
--> ! : 0..1
SELECT email FROM users WHERE id = $1::int AND active;

-- by something that is not unique
--> ! : many
SELECT email FROM users WHERE age = $1::int;

-- by primary key or something else
--> ! : many
SELECT email FROM users WHERE id = $1::int OR age = 5;

-- an inequality
--> ! : many
SELECT email FROM users WHERE id >= $1::int;

-- by primary key of another integer type
--> ! : 0..1
SELECT total FROM orders WHERE id = $1::int;

-- by primary key with a cast around it
--> ! : many
SELECT email FROM users WHERE id::text = $1::text;

-- by primary key with a volatile value
--> ! : many
SELECT email FROM users WHERE id = (random() * 4)::int;

-- by primary key with a stable value
--> ! : 0..1
SELECT email FROM users WHERE id = length(current_user);

-- by primary key with a value from a subquery
--> ! : 0..1
SELECT email FROM users WHERE id = (SELECT max(user_id) FROM orders);

-- by primary key with a value from a correlated subquery
--> ! : many
SELECT email FROM users u WHERE id = (SELECT max(user_id) FROM orders o WHERE o.user_id = u.id);

-- by primary key = ANY
--> ! : many
SELECT email FROM users WHERE id = ANY ($1::int[]);

-- by primary key IN one value
--> ! : 0..1
SELECT email FROM users WHERE id IN ($1::int);

-- by a unique index on an expression
--> ! : 0..1
SELECT email FROM users WHERE lower(email) = lower($1::text);

-- by another expression
--> ! : many
SELECT email FROM users WHERE upper(email) = upper($1::text);

-- by a partial unique index, with its condition
--> ! : 0..1
SELECT email FROM users WHERE name = $1::text AND active;

-- by a partial unique index, without
--> ! : many
SELECT email FROM users WHERE name = $1::text;

-- by a partial unique index WHERE x IS NOT NULL
--> ! : 0..1
SELECT email FROM users WHERE motto = $1::text;

-- by a unique constraint, nullable
--> ! : 0..1
SELECT total FROM orders WHERE reference = $1::text;

-- by a deferrable unique constraint, which may be violated for a while
--> ! : many
SELECT total FROM orders WHERE number = $1::int;

-- by a key of two columns
--> ! : 0..1
SELECT sku FROM items WHERE order_id = $1::bigint AND line = $2::int;

-- by half a key
--> ! : many
SELECT sku FROM items WHERE order_id = $1::bigint;

-- by a key of two columns as a row
--> ! : 0..1
SELECT sku FROM items WHERE (order_id, line) = ($1::bigint, $2::int);

-- by a key with a boolean column
--> ! : 0..1
SELECT user_id FROM flags WHERE user_id = $1::int AND flag;

-- by a key with a boolean column, negated
--> ! : 0..1
SELECT user_id FROM flags WHERE user_id = $1::int AND NOT flag;

-- through a join on a key
--> ! ! : 0..1
SELECT o.total, u.email FROM orders o JOIN users u ON u.id = o.user_id WHERE o.id = $1::bigint;

-- through a join on something else
--> ! ! : many
SELECT u.email, o.total FROM users u JOIN orders o ON o.user_id = u.id WHERE u.id = $1::int;

-- through a LEFT JOIN on a key
--> ! ? : 0..1
SELECT o.total, u.email FROM orders o LEFT JOIN users u ON u.id = o.user_id WHERE o.id = $1::bigint;

-- through a LEFT JOIN on half a key
--> ! ? : many
SELECT o.total, i.sku FROM orders o LEFT JOIN items i ON i.order_id = o.id WHERE o.id = $1::bigint;

-- ON of a LEFT JOIN does not bind its left side
--> ! ? : many
SELECT u.email, o.total FROM users u LEFT JOIN orders o ON u.id = $1::int AND o.id = $2::bigint;

-- FULL JOIN of two rows may give two
--> ? ? : many
SELECT u.email, o.total FROM (SELECT * FROM users WHERE id = 1) u FULL JOIN (SELECT * FROM orders WHERE id = 3) o ON o.user_id = u.id;

-- equality that is handed on
--> ! ! : 0..1
SELECT u.email, s.orders FROM users u JOIN order_stats s ON s.user_id = u.id WHERE u.id = $1::int;

-- equality that is handed on through a column that is no key
--> ! ! : 0..1
SELECT u.email, i.sku FROM items i JOIN users u ON u.id = i.line WHERE i.line = $1::int AND i.order_id = $2::bigint;

-- equality of two keys with each other binds nothing
--> ! : many
SELECT u.email FROM users u JOIN order_stats s ON s.user_id = u.id;

-- a cross join with a table
--> ! : many
SELECT u.email FROM users u, flags f WHERE u.id = $1::int;

-- a cross join with one row
--> ! ! : 0..1
SELECT u.email, c.n FROM users u, (SELECT count(*) AS n FROM orders) c WHERE u.id = $1::int;

-- through a subquery
--> ! : 0..1
SELECT s.email FROM (SELECT id, email FROM users) s WHERE s.id = $1::int;

-- through a grouped subquery
--> ! ! : 0..1
SELECT u.email, s.n FROM users u JOIN (SELECT user_id, count(*) AS n FROM orders GROUP BY user_id) s ON s.user_id = u.id WHERE u.id = $1::int;

-- through a CTE
--> ! : 0..1
WITH w AS (SELECT id, email FROM users) SELECT email FROM w WHERE id = $1::int;

-- through a DISTINCT subquery
--> ! : 0..1
SELECT s.user_id FROM (SELECT DISTINCT user_id FROM orders) s WHERE s.user_id = $1::int;

-- through a UNION, by all its columns
--> ! : 0..1
SELECT s.id FROM (SELECT id FROM users UNION SELECT user_id FROM orders) s WHERE s.id = $1::int;

-- an aggregate without GROUP BY
--> ! : 1
SELECT count(*) FROM users WHERE active;

-- an aggregate with HAVING
--> ! : 0..1
SELECT count(*) FROM users HAVING count(*) > 2;

-- HAVING without aggregate and GROUP BY
--> ! : 0..1
SELECT 1 FROM users HAVING true;

-- an aggregate with OFFSET
--> ! : 0..1
SELECT count(*) FROM users OFFSET 1;

-- an aggregate with LIMIT 1
--> ! : 1
SELECT count(*) FROM users LIMIT 1;

-- an aggregate with LIMIT 0
--> ! : 0..1
SELECT count(*) FROM users LIMIT 0;

-- an aggregate with a parameter as LIMIT
--> ! : 0..1
SELECT count(*) FROM users LIMIT $1::int;

-- GROUP BY a fixed column
--> ! ! : 0..1
SELECT user_id, count(*) FROM orders WHERE user_id = $1::int GROUP BY user_id;

-- GROUP BY a column that is not fixed
--> ! ! : many
SELECT user_id, count(*) FROM orders GROUP BY user_id;

-- the empty grouping set alone
--> ! : 1
SELECT count(*) FROM users GROUP BY ();

-- ROLLUP
--> ? ! : many
SELECT status, count(*) FROM users GROUP BY ROLLUP (status);

-- DISTINCT of a fixed column
--> ! : 0..1
SELECT DISTINCT user_id FROM orders WHERE user_id = $1::int;

-- LIMIT 1
--> ! : 0..1
SELECT email FROM users ORDER BY id LIMIT 1;

-- FETCH FIRST ROW
--> ! : 0..1
SELECT email FROM users ORDER BY id FETCH FIRST ROW ONLY;

-- FETCH FIRST 1 ROWS WITH TIES
--> ! : many
SELECT email FROM users ORDER BY active FETCH FIRST 1 ROWS WITH TIES;

-- LIMIT 2
--> ! : many
SELECT email FROM users LIMIT 2;

-- LIMIT by a parameter
--> ! : many
SELECT email FROM users LIMIT $1::int;

-- LIMIT ALL and LIMIT NULL
--> ! : many
SELECT email FROM users LIMIT ALL;

-- OFFSET with LIMIT 1
--> ! : 0..1
SELECT email FROM users ORDER BY id LIMIT 1 OFFSET 1;

-- without FROM
--> ! : 1
SELECT 1;

-- without FROM, with WHERE
--> ! : 0..1
SELECT 1 WHERE $1::int > 0;

-- a set-returning function may return none or many
--> ! : many
SELECT generate_series(1, $1::int);

-- a scalar function in FROM
--> ! : 1
SELECT * FROM length('abc');

-- UNION of two single rows
--> ! : many
SELECT 1 UNION ALL SELECT 2;

-- INTERSECT and EXCEPT of single rows
--> ! : 0..1
SELECT 1 INTERSECT SELECT id FROM users;

-- EXCEPT keeps the left side at most
--> ! : 0..1
SELECT id FROM users WHERE id = 1 EXCEPT SELECT 2;

-- EXISTS as a query
--> ! : 1
SELECT EXISTS (SELECT 1 FROM users WHERE email = $1::text);

-- a scalar subquery as a query
--> ? : 1
SELECT (SELECT email FROM users WHERE id = $1::int);

-- FOR UPDATE by key
--> ! : 0..1
SELECT email FROM users WHERE id = $1::int FOR UPDATE;

-- SKIP LOCKED loses rows
--> ! : 0..1
SELECT email FROM users WHERE id = $1::int FOR UPDATE SKIP LOCKED;

-- a queue
--> ! : 0..1
SELECT id FROM orders ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED;

-- a parent table by its primary key: children may repeat it
--> ! : many
SELECT name FROM animals WHERE id = $1::int;

-- ONLY the parent by its primary key
--> ! : 0..1
SELECT name FROM ONLY animals WHERE id = $1::int;

-- a child by the key of its parent
--> ! : many
SELECT name FROM birds WHERE id = $1::int;

-- a partitioned table by its primary key
--> ? : 0..1
SELECT what FROM events WHERE id = $1::int AND day = $2::date;

-- a window function changes no number
--> ! : 0..1
SELECT row_number() OVER () FROM users WHERE id = $1::int;

-- text equality under another collation that is deterministic
--> ! : 0..1
SELECT total FROM orders WHERE reference = $1::text COLLATE "C";

-- LIKE is no equality
--> ! : many
SELECT total FROM orders WHERE reference LIKE $1::text;

-- a varchar key column in a larger key is matched as text
--> ! : many
SELECT line FROM items WHERE sku = $1::text;

-- VALUES of two rows joined by key
--> ! : many
SELECT u.email FROM (VALUES (1), (2)) v(id) JOIN users u ON u.id = v.id;

-- VALUES of one row joined by key
--> ! : 0..1
SELECT u.email FROM (VALUES ($1::int)) v(id) JOIN users u ON u.id = v.id;

-- LATERAL with LIMIT 1 for one row
--> ! ! : 0..1
SELECT u.email, o.total FROM users u CROSS JOIN LATERAL (SELECT total FROM orders WHERE user_id = u.id LIMIT 1) o WHERE u.id = $1::int;

-- LATERAL with LIMIT 1 for many
--> ! ! : many
SELECT u.email, o.total FROM users u CROSS JOIN LATERAL (SELECT total FROM orders WHERE user_id = u.id LIMIT 1) o;

-- a single row of VALUES that some rows do not match
--> ? : many
SELECT DISTINCT v.label FROM users u LEFT JOIN (VALUES (1, 'one')) v(id, label) ON v.id = u.id;

-- a key that is compared with a row that may be absent
--> ! : many
SELECT m.email FROM orders o LEFT JOIN (VALUES (1)) v(x) ON v.x = o.user_id JOIN users m ON m.id = coalesce(v.x, 0) + 1;

-- a subquery with LIMIT fixes a key: parallel workers may deliver another row each time that it is evaluated
--> ! : many
SELECT u.email FROM users u JOIN (SELECT user_id FROM orders LIMIT 1) o ON o.user_id = u.id;

-- a view with LIMIT fixes a key
--> ! : many
SELECT u.email FROM users u JOIN some_order o ON o.user_id = u.id;

-- a subquery with LIMIT adds no rows to a row that is fixed without it
--> ! ! : 0..1
SELECT u.email, o.total FROM users u CROSS JOIN (SELECT total FROM orders LIMIT 1) o WHERE u.id = $1::int;

-- something volatile adds no rows to a row that is fixed without it
--> ! ! : 0..1
SELECT u.email, r.at FROM users u CROSS JOIN (SELECT clock_timestamp() AS at) r WHERE u.id = $1::int;

-- something volatile that fixes a key
--> ! : many
SELECT u.email FROM users u JOIN (SELECT (random() * 4)::int AS id) r ON r.id = u.id;

-- an aggregate that does not depend on the order of its input fixes a key
--> ! : 0..1
SELECT u.email FROM users u JOIN (SELECT max(user_id) AS id FROM orders) o ON o.id = u.id;

-- an aggregate that depends on the order of its input does not
--> ! : many
SELECT u.email FROM users u JOIN (SELECT (array_agg(user_id))[1] AS id FROM orders) o ON o.id = u.id;

-- IN with an aggregate that does not depend on the order of its input
--> ! : 0..1
SELECT email FROM users WHERE id IN (SELECT min(user_id) FROM orders);

-- a common table with LIMIT may be put in the place of its name
--> ! : many
WITH o AS (SELECT user_id FROM orders LIMIT 1) SELECT u.email FROM users u JOIN o ON o.user_id = u.id;

-- a common table that is materialized is evaluated once
--> ! : 0..1
WITH o AS MATERIALIZED (SELECT user_id FROM orders LIMIT 1) SELECT u.email FROM users u JOIN o ON o.user_id = u.id;

-- a common table that locks is evaluated once
--> ! : 0..1
WITH o AS (SELECT user_id FROM orders LIMIT 1 FOR UPDATE SKIP LOCKED) SELECT u.email FROM users u JOIN o ON o.user_id = u.id;

-- a common table with something volatile is evaluated once
--> ! : 0..1
WITH o AS (SELECT (random() * 4)::int AS id) SELECT u.email FROM users u JOIN o ON o.id = u.id;

-- a subquery that locks, in UPDATE: each evaluation passes over what the statement has written
--> ! : many
UPDATE users u SET age = 1 FROM (SELECT id FROM users WHERE age IS NULL LIMIT 1 FOR UPDATE SKIP LOCKED) n WHERE n.id = u.id RETURNING u.id;

-- a volatile function in FROM fixes a key: each parallel worker calls it for itself
--> ! : many
SELECT u.email FROM users u JOIN random() r(x) ON u.id = r.x;

-- a volatile function in FROM adds no rows to a row that is fixed without it
--> ! ! : 0..1
SELECT u.email, r.at FROM users u CROSS JOIN clock_timestamp() r(at) WHERE u.id = $1::int;

-- a stable function in FROM fixes a key
--> ! : 0..1
SELECT u.email FROM users u JOIN date_part('day', now()) d(n) ON u.id = d.n::int;

-- a volatile function in FROM of a statement that writes, which has no parallel workers
--> ! : 0..1
UPDATE users u SET age = 1 FROM random() r(x) WHERE u.id = (r.x * 4)::int RETURNING u.id;

-- a scalar subquery of the statement itself is evaluated once, before parallel workers start
--> ! : 0..1
SELECT email FROM users WHERE id = (SELECT (random() * 4)::int);

-- a scalar subquery with something volatile inside a subquery: each parallel worker may evaluate it
--> ! : many
SELECT s.email FROM (SELECT email FROM users WHERE id = (SELECT (random() * 4)::int) OFFSET 0) s;

-- a scalar subquery that chooses a row inside a view
--> ! : many
SELECT email FROM user_of_some_order;

-- a row subquery with LIMIT inside a subquery
--> ! : many
SELECT s.email FROM (SELECT email FROM users WHERE (id, age) = (SELECT user_id, 1 FROM orders LIMIT 1) OFFSET 0) s;

-- a scalar subquery that finds its row by a key inside a subquery
--> ! : 0..1
SELECT s.email FROM (SELECT email FROM users WHERE id = (SELECT user_id FROM orders WHERE id = $1::int) OFFSET 0) s;

-- a scalar subquery that locks inside of a WITH item that writes, which has no parallel workers
--> ! : 0..1
WITH taken AS (
    UPDATE users SET age = 1 WHERE id = (SELECT id FROM users ORDER BY age LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id
) SELECT id FROM taken;

-- a function whose default argument is volatile
--> ! : many
SELECT email FROM users WHERE id = of_chance();

-- a function whose default argument is a constant
--> ! : 0..1
SELECT email FROM users WHERE id = of_four();

-- an element of ARRAY(SELECT …), which has the order of the rows as they are delivered
--> ! : many
SELECT email FROM users WHERE id IN (SELECT (ARRAY(SELECT user_id FROM orders))[1]);

-- a function in FROM over a subquery that chooses a row
--> ! : many
SELECT u.email FROM users u JOIN abs((SELECT user_id FROM some_order)) s(id) ON s.id = u.id;

-- by a partial unique index, its condition written as a comparison
--> ! : 0..1
SELECT email FROM users WHERE name = $1::text AND active = true;

-- by a partial unique index, its condition written as a test
--> ! : 0..1
SELECT email FROM users WHERE name = $1::text AND active IS TRUE;

-- by a partial unique index, with the other value
--> ! : many
SELECT email FROM users WHERE name = $1::text AND active = false;

-- by a partial unique index, with a test that NULL passes
--> ! : many
SELECT email FROM users WHERE name = $1::text AND active IS NOT FALSE;

-- by a partial unique index on what is false
--> ! : 0..1
SELECT turned_on FROM switches WHERE id = $1::int AND false = turned_on;

-- by a partial unique index on what is false, with the other value
--> ! : many
SELECT turned_on FROM switches WHERE id = $1::int AND turned_on;

-- by a partial unique index whose condition is a test
--> ! : 0..1
SELECT id FROM switches WHERE room = $1::int AND turned_on;

-- HAVING leaves one group
--> ! ! : 0..1
SELECT user_id, count(*) FROM orders GROUP BY user_id HAVING user_id = $1::int AND count(*) > 0;

-- HAVING leaves one group of an expression
--> ! : 0..1
SELECT count(*) FROM users GROUP BY lower(email) HAVING lower($1::text) = lower(email);

-- HAVING fixes one column of two
--> ! : many
SELECT count(*) FROM users GROUP BY active, status HAVING active = true;

-- HAVING fixes one column and WHERE the other
--> ! : 0..1
SELECT count(*) FROM users WHERE status = 'ok' GROUP BY active, status HAVING active = true;

-- HAVING with an inequality
--> ! : many
SELECT user_id FROM orders GROUP BY user_id HAVING user_id > $1::int;

-- HAVING with an alternative
--> ! : many
SELECT user_id FROM orders GROUP BY user_id HAVING user_id = $1::int OR count(*) > 0;

-- HAVING compares two columns
--> ! : many
SELECT user_id FROM orders GROUP BY user_id, id HAVING user_id = id;

-- HAVING with a volatile value
--> ! : many
SELECT user_id FROM orders GROUP BY user_id HAVING user_id = (random() * 4)::int;

-- HAVING under grouping sets
--> ! : many
SELECT user_id FROM orders GROUP BY GROUPING SETS ((user_id), (user_id, id)) HAVING user_id = $1::int;

-- UPDATE by a stable value, which a trigger might change
--> ! : many
UPDATE users SET age = 1 WHERE id = length(current_user) RETURNING email;

-- UPDATE by a setting
--> ! : many
UPDATE users SET age = 1 WHERE id = coalesce(current_setting('app.id', true), '1')::int RETURNING email;

-- UPDATE by a setting that is read once
--> ! : 0..1
UPDATE users SET age = 1 WHERE id = (SELECT coalesce(current_setting('app.id', true), '1')::int) RETURNING email;

-- UPDATE by the time of the transaction
--> ! : 0..1
UPDATE users SET age = 1 WHERE id = extract(century FROM CURRENT_TIMESTAMP - CURRENT_TIMESTAMP)::int RETURNING email;

-- by a stable value, beside something that may change settings
--> ! ~ : many
SELECT email, set_config('app.id', name, true) FROM users WHERE id = length(current_user);

-- by a stable value, beside something volatile that changes no setting
--> ! ! : 0..1
SELECT email, random() FROM users WHERE id = length(current_user);

-- by a stable value, beside a WITH item that writes
--> ! : many
WITH w AS (UPDATE orders SET note = 'x' WHERE id = 1 RETURNING id) SELECT email FROM users WHERE id = length(current_user);

-- by a count of rows that a policy shows by chance
--> ! : many
SELECT email FROM users WHERE id IN (SELECT count(*) FROM guarded);

-- by a count of rows under a policy that is not enabled
--> ! : 0..1
SELECT email FROM users WHERE id IN (SELECT count(*) FROM unguarded);

-- by the key of a table with a policy
--> ! ! : 0..1
SELECT g.id, u.email FROM guarded g JOIN users u ON u.id = g.id WHERE g.id = $1::int;

-- beside a row that a join finds by chance
--> ! : many
SELECT u.email FROM users u JOIN (orders o LEFT JOIN users m ON m.id = 1 AND random() < 0.5) ON u.id = coalesce(m.id, 2) WHERE o.id = 1;

-- beside a row that a join finds each time or never
--> ! : 0..1
SELECT u.email FROM users u JOIN (orders o LEFT JOIN users m ON m.id = 1 AND m.active) ON u.id = coalesce(m.id, 2) WHERE o.id = 1;

-- by a WITH item that only a default argument makes volatile, which the planner does not see
--> ! : many
WITH c AS (SELECT of_chance() AS n) SELECT email FROM users JOIN c ON id = n;
