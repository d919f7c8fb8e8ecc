-- a NOT NULL column, a nullable one
--> ! ? : many
SELECT email, name FROM users;

-- a primary key, a default, an array, an enum
--> ! ! ! ! : many
SELECT id, joined_at, tags, status FROM users;

-- a domain that is NOT NULL, one on top of it (the NULL of an empty subquery gets past both), one that is not
--> ? ? ? : many
SELECT badge, rank, motto FROM users;

-- a generated column is as its expression is
--> ! ? : many
SELECT email_length, name_length FROM users;

-- a CHECK constraint that says IS NOT NULL
--> ! : many
SELECT phone FROM users;

-- an identity column
--> ! ? ? : many
SELECT id, placed_on, number FROM orders;

-- a composite column and its field
--> ? ? : many
SELECT wallet, (wallet).currency FROM users;

-- system columns
--> ! ! ! : many
SELECT tableoid, ctid, xmin FROM users;

-- system columns behind an outer join
--> ! ? : many
SELECT u.tableoid, o.ctid FROM users u LEFT JOIN orders o ON o.user_id = u.id;

-- a row as a whole
--> ! : many
SELECT u FROM users u;

-- a row as a whole from the nullable side
--> ? : many
SELECT o FROM users u LEFT JOIN orders o ON o.user_id = u.id;

-- an inner join nulls nothing
--> ! ! ? : many
SELECT u.id, o.total, o.note FROM users u JOIN orders o ON o.user_id = u.id;

-- LEFT JOIN nulls its right side
--> ! ? ? : many
SELECT u.id, o.total, o.note FROM users u LEFT JOIN orders o ON o.user_id = u.id;

-- RIGHT JOIN nulls its left side
--> ? ! : many
SELECT u.id, o.total FROM users u RIGHT JOIN orders o ON o.user_id = u.id;

-- FULL JOIN nulls both
--> ? ? : many
SELECT u.id, o.total FROM users u FULL JOIN orders o ON o.user_id = u.id;

-- USING with LEFT JOIN: the merged column is the left one
--> ! ? : many
SELECT user_id, flag FROM orders LEFT JOIN flags USING (user_id);

-- USING with RIGHT JOIN: the merged column is the right one
--> ! ? : many
SELECT user_id, total FROM orders RIGHT JOIN flags USING (user_id);

-- USING with FULL JOIN: the merged column takes whichever there is
--> ! ? ? : many
SELECT user_id, total, flag FROM orders FULL JOIN flags USING (user_id);

-- NATURAL JOIN
--> ! ? : many
SELECT user_id, total FROM flags NATURAL LEFT JOIN orders;

-- USING over columns of different types
--> ! : many
SELECT id FROM users FULL JOIN orders USING (id);

-- USING, and then another outer join above
--> ? ! : many
SELECT f.user_id, u.id FROM orders o FULL JOIN flags f USING (user_id) RIGHT JOIN users u ON u.id = f.user_id;

-- the merged column below an outer join
--> ? : many
SELECT j.user_id FROM users u LEFT JOIN (orders o FULL JOIN flags f USING (user_id)) AS j ON j.user_id = u.id + 100;

-- the merged column with an alias for USING
--> ! : many
SELECT m.user_id FROM orders FULL JOIN flags USING (user_id) AS m;

-- a join nested on the nullable side
--> ! ? ? : many
SELECT u.id, o.total, i.sku FROM users u LEFT JOIN (orders o JOIN items i ON i.order_id = o.id) ON o.user_id = u.id;

-- an inner join above an outer join drops the null-extended rows
--> ! ! ! : many
SELECT u.id, o.total, i.sku FROM users u LEFT JOIN orders o ON o.user_id = u.id JOIN items i ON i.order_id = o.id;

-- a LEFT JOIN above an inner join nests to the left
--> ! ! ? : many
SELECT u.id, o.total, i.sku FROM users u JOIN orders o ON o.user_id = u.id LEFT JOIN items i ON i.order_id = o.id;

-- two LEFT JOINs: the second one's condition on the first one's table does not help the first one
--> ! ? ? : many
SELECT u.id, o.total, i.sku FROM users u LEFT JOIN orders o ON o.user_id = u.id LEFT JOIN items i ON i.order_id = o.id;

-- a RIGHT JOIN above a LEFT JOIN nulls everything before it
--> ? ? ! : many
SELECT u.id, o.total, f.flag FROM users u LEFT JOIN orders o ON o.user_id = u.id RIGHT JOIN flags f ON f.user_id = u.id;

-- a cross join
--> ! ! : many
SELECT u.id, f.flag FROM users u CROSS JOIN flags f;

-- LEFT JOIN LATERAL without a condition
--> ! ? : many
SELECT u.id, l.total FROM users u LEFT JOIN LATERAL (SELECT o.total FROM orders o WHERE o.user_id = u.id LIMIT 1) l ON true;

-- CROSS JOIN LATERAL passes through
--> ! ! ? : many
SELECT u.id, l.uid, l.uname FROM users u CROSS JOIN LATERAL (SELECT u.id AS uid, u.name AS uname) l;

-- a lateral subquery uses what WHERE says of the row it belongs to
--> ! : many
SELECT l.uname FROM users u CROSS JOIN LATERAL (SELECT u.name AS uname) l WHERE u.name IS NOT NULL;

-- LEFT JOIN LATERAL on an aggregate still may not join
--> ? ? : many
SELECT l.n, l.m FROM users u LEFT JOIN LATERAL (SELECT count(*) AS n, max(total) AS m FROM orders o WHERE o.user_id = u.id) l ON l.n > 0;

-- a CROSS JOIN LATERAL on an aggregate always joins
--> ! ? : many
SELECT l.n, l.m FROM users u CROSS JOIN LATERAL (SELECT count(*) AS n, max(total) AS m FROM orders o WHERE o.user_id = u.id) l;

-- a LEFT JOIN to an aggregate ON true always finds its row
--> ! ~ : many
SELECT u.id, l.n FROM users u LEFT JOIN LATERAL (SELECT count(*) AS n FROM orders o WHERE o.user_id = u.id) l ON true;

-- a join to a subquery
--> ! ? : many
SELECT s.id, s.name FROM (SELECT id, name FROM users) s;

-- a LEFT JOIN to a subquery
--> ! ? : many
SELECT u.id, s.n FROM users u LEFT JOIN (SELECT user_id, count(*) AS n FROM orders GROUP BY user_id) s ON s.user_id = u.id;

-- VALUES in FROM
--> ! ? : many
SELECT a, b FROM (VALUES (1, 'x'), (2, NULL)) v(a, b);

-- a LEFT JOIN to VALUES
--> ! ? : many
SELECT u.id, v.label FROM users u LEFT JOIN (VALUES (1, 'one')) v(id, label) ON v.id = u.id;

-- a self join
--> ! ? ? : many
SELECT e.email, e.manager_id, m.email FROM users e LEFT JOIN users m ON m.id = e.manager_id;

-- a partitioned table
--> ! ! ? : many
SELECT id, day, what FROM events;

-- children of a table: a CHECK without inheritance does not hold for them
--> ! ! ? : many
SELECT id, name, legs FROM animals;

-- ONLY the parent is read as if the children were, too
--> ! ~ : many
SELECT id, legs FROM ONLY animals;

-- a column of a child table
--> ! ? : many
SELECT name, wings FROM birds;

-- a primary key is not inherited, but its NOT NULL is
--> ? : many
SELECT b.legs FROM birds b;

-- TABLESAMPLE changes nothing
--> ! : many
SELECT email FROM users TABLESAMPLE SYSTEM (100);

-- a catalogue table
--> ! : many
SELECT relname FROM pg_class;

-- FOR UPDATE changes nothing
--> ! ? : many
SELECT email, name FROM users FOR UPDATE;
