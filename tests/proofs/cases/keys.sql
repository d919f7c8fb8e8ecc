-- IN over a subquery that finds one row by a unique key
--> ! : 0..1
SELECT email FROM users WHERE id IN (SELECT user_id FROM orders WHERE reference = $1::text);

-- the same through a view
--> ! : 0..1
SELECT email FROM users WHERE id IN (SELECT user_id FROM noted_orders WHERE id = $1::bigint);

-- the same with a join inside
--> ! : 0..1
SELECT email FROM users WHERE id IN (SELECT o.user_id FROM items i JOIN orders o ON o.id = i.order_id WHERE i.order_id = $1::bigint AND i.line = $2::int);

-- IN of two columns over one row
--> ! : 0..1
SELECT sku FROM items WHERE (order_id, line) IN (SELECT id, user_id FROM orders WHERE id = $1::bigint);

-- an update of the row that a subquery names
--> ! : 0..1
UPDATE users SET age = 1 WHERE id IN (SELECT user_id FROM orders WHERE id = $1::bigint) RETURNING id;

-- IN over a subquery of many rows
--> ! : many
SELECT email FROM users WHERE id IN (SELECT user_id FROM orders WHERE user_id > $1::int);

-- IN over LIMIT 1, which may choose another row each time
--> ! : many
SELECT email FROM users WHERE id IN (SELECT user_id FROM orders LIMIT 1);

-- IN over a locked row: other rows may be locked for other rows
--> ! : many
UPDATE users SET age = 1 WHERE id IN (SELECT user_id FROM orders WHERE id = $1::bigint FOR UPDATE SKIP LOCKED) RETURNING id;

-- IN over a volatile value
--> ! : many
SELECT email FROM users WHERE id IN (SELECT (random() * 4)::int);

-- IN over a sample
--> ! : many
SELECT email FROM users WHERE id IN (SELECT user_id FROM orders TABLESAMPLE BERNOULLI (50) WHERE id = $1::bigint);

-- IN over a function that returns a set
--> ! : many
SELECT email FROM users WHERE id IN (SELECT generate_series(1, 3));

-- IN over a correlated subquery
--> ! : many
SELECT email FROM users u WHERE id IN (SELECT user_id FROM orders o WHERE o.id = u.id);

-- NOT IN over one row
--> ! : many
SELECT email FROM users WHERE id NOT IN (SELECT user_id FROM orders WHERE id = $1::bigint);

-- IN over one row or something else
--> ! : many
SELECT email FROM users WHERE id IN (SELECT user_id FROM orders WHERE id = $1::bigint) OR age = 5;

-- an inequality with ANY over one row
--> ! : many
SELECT email FROM users WHERE id > ANY (SELECT user_id FROM orders WHERE id = $1::bigint);

-- a row subquery is evaluated once
--> ! : 0..1
SELECT sku FROM items WHERE (order_id, line) = (SELECT id, user_id FROM orders ORDER BY id LIMIT 1);

-- a scalar subquery is evaluated once
--> ! : 0..1
SELECT email FROM users WHERE id = (SELECT user_id FROM orders LIMIT 1);

-- all but one column of a key
--> ! : many
SELECT sku FROM items WHERE order_id IN (SELECT id FROM orders WHERE id = $1::bigint);

-- a unique index on an expression among other columns, with its expression
--> ! : 0..1
SELECT id FROM files WHERE parent = $1::int AND lower(name) = lower($2::text);

-- the same with the column itself fixed, which fixes the expression
--> ! : 0..1
SELECT id FROM files WHERE parent = $1::int AND name = $2::text;

-- the same over a varchar
--> ! : 0..1
SELECT id FROM files WHERE parent = $1::int AND short = $2::text;

-- the expression without the other column
--> ! : many
SELECT id FROM files WHERE name = $1::text;

-- another column than that of the expression
--> ! : many
SELECT id FROM files WHERE parent = $1::int AND stem = $2::text;

-- equal numbers are written in several ways
--> ! : many
SELECT id FROM files WHERE size = $1::numeric;

-- equal blank-padded strings are of several lengths
--> ! : many
SELECT id FROM files WHERE code = $1::text::bpchar;

-- an expression that is NULL for a value
--> ! : many
SELECT id FROM files WHERE stem = $1::text;

-- a pattern does not fix the column
--> ! : many
SELECT id FROM files WHERE parent = $1::int AND name LIKE $2::text;

-- IS NOT DISTINCT FROM under NULLS NOT DISTINCT
--> ! : 0..1 : $1?*
SELECT id FROM folders WHERE parent IS NOT DISTINCT FROM $1::int AND name = $2::text;

-- IS NULL under NULLS NOT DISTINCT
--> ! : 0..1
SELECT id FROM folders WHERE parent IS NULL AND name = $1::text;

-- IS NOT DISTINCT FROM where NULLs are distinct
--> ! : many : $1?*
SELECT id FROM shelves WHERE parent IS NOT DISTINCT FROM $1::int AND name = $2::text;

-- IS NULL where NULLs are distinct
--> ! : many
SELECT id FROM shelves WHERE parent IS NULL AND name = $1::text;

-- IS DISTINCT FROM under NULLS NOT DISTINCT
--> ! : many : $1?*
SELECT id FROM folders WHERE parent IS DISTINCT FROM $1::int AND name = $2::text;

-- IS NOT NULL under NULLS NOT DISTINCT
--> ! : many
SELECT id FROM folders WHERE parent IS NOT NULL AND name > $1::text;

-- IS NOT DISTINCT FROM over a primary key
--> ! : 0..1 : $1?*
SELECT email FROM users WHERE id IS NOT DISTINCT FROM $1::int;

-- IS NOT DISTINCT FROM a column of another row
--> ! ! : many
SELECT a.id, b.id FROM folders a JOIN folders b ON b.parent IS NOT DISTINCT FROM a.parent AND b.name = 'a';

-- IS NOT DISTINCT FROM a column of a row that is fixed
--> ! : 0..1
SELECT f.id FROM users u JOIN folders f ON f.parent IS NOT DISTINCT FROM u.manager_id AND f.name = $2::text WHERE u.id = $1::int;

-- the side of an outer join that is alike
--> ! ? : 0..1
SELECT u.id, f.id FROM users u LEFT JOIN folders f ON f.parent IS NOT DISTINCT FROM u.manager_id AND f.name = 'a' WHERE u.id = $1::int;

-- a table of one row, by a CHECK on a boolean key
--> ! : 0..1
SELECT theme FROM settings;

-- the same with the number of it
--> ! : 0..1
SELECT hits FROM counters;

-- an update of it
--> ! : 0..1
UPDATE counters SET hits = hits + 1 RETURNING hits;

-- beside a row of another table
--> ! ! : 0..1
SELECT u.email, s.theme FROM users u CROSS JOIN settings s WHERE u.id = $1::int;

-- beside rows of another table
--> ! ! : many
SELECT u.email, s.theme FROM users u CROSS JOIN settings s;

-- a key that may be NULL, which a CHECK lets pass
--> ! : many
SELECT theme FROM loose_settings;

-- a CHECK that is not valid
--> ! : many
SELECT theme FROM late_settings;

-- a CHECK that leaves two values
--> ! : many
SELECT theme FROM either_settings;

-- a CHECK that compares with NULL and refuses nothing
--> ! : many
SELECT theme FROM null_settings;

-- a unique index on a constant
--> ! : 0..1
SELECT theme FROM lonely;

-- a unique index on NULL
--> ! : many
SELECT theme FROM lonely_null;

-- a LEFT JOIN over a NOT NULL foreign key: its triggers can be switched off
--> ! ? : many
SELECT h.id, u.email FROM heads h LEFT JOIN users u ON u.id = h.user_id;

-- a table of which a NOT NULL column is NULL is not there
--> ! : 0..1 : $1!
SELECT u.id FROM users u LEFT JOIN orders o ON o.user_id = u.id WHERE u.id = $1::int AND o.id IS NULL;
