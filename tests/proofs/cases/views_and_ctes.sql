-- a view with an outer join
--> ! ! ? ? ? : many
SELECT id, email, order_id, total, note FROM user_orders;

-- a view with a condition
--> ! ! : many
SELECT id, name FROM named_users;

-- a nested view
--> ! ! ? : many
SELECT id, name, total FROM nested_view;

-- a view with an aggregate has one row
--> ! ? : 1
SELECT orders, largest FROM order_count;

-- a view that groups
--> ! ! ? : many
SELECT user_id, total, note FROM totals;

-- a view that groups, by its group
--> ! : 0..1
SELECT total FROM totals WHERE user_id = $1::int;

-- a security barrier view
--> ! ? : many
SELECT email, name FROM secure_users;

-- a materialised view
--> ! ! ? : many
SELECT user_id, orders, note FROM order_stats;

-- a materialised view by its unique index
--> ! : 0..1
SELECT orders FROM order_stats WHERE user_id = $1::int;

-- a LEFT JOIN to a view
--> ! ? : many
SELECT u.id, v.email FROM users u LEFT JOIN named_users v ON v.id = u.id;

-- a condition on a view reaches through its outer join
--> ! ? : many
SELECT total, note FROM user_orders WHERE total > 0;

-- a view by the key of its table
--> ! : 0..1
SELECT email FROM named_users WHERE id = $1::int;

-- a view over a join is not one row by the key of one side
--> ! : many
SELECT email FROM user_orders WHERE id = $1::int;

-- a CTE
--> ! ? : many
WITH w AS (SELECT id, name FROM users) SELECT id, name FROM w;

-- a CTE that is materialised
--> ! ? : many
WITH w AS MATERIALIZED (SELECT id, name FROM users) SELECT id, name FROM w;

-- a LEFT JOIN to a CTE
--> ! ? : many
WITH w AS (SELECT user_id, count(*) AS n FROM orders GROUP BY user_id) SELECT u.id, w.n FROM users u LEFT JOIN w ON w.user_id = u.id;

-- a CTE of a CTE
--> ! : many
WITH a AS (SELECT id FROM users), b AS (SELECT id FROM a) SELECT id FROM b;

-- a CTE from an inner query level
--> ! : many
WITH a AS (SELECT id FROM users) SELECT (SELECT count(*) FROM a) FROM a;

-- a CTE that hides another of the same name
--> ? : many
WITH a AS (SELECT id AS v FROM users) SELECT v FROM (WITH a AS (SELECT age AS v FROM users) SELECT v FROM a) s;

-- a recursive CTE that counts
--> ! : many
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT n FROM t;

-- a recursive CTE that climbs: the second arm puts NULLs in
--> ! ? : many
WITH RECURSIVE chain AS (
    SELECT id, id AS boss FROM users UNION ALL SELECT u.id, u.manager_id FROM users u JOIN chain c ON c.boss = u.id
) SELECT id, boss FROM chain LIMIT 20;

-- a recursive CTE: a NULL travels from one column to another in later rounds
--> ? ? ? : many
WITH RECURSIVE t(a, b, c, n) AS (
    SELECT 1, 1, 1, 0 UNION ALL SELECT b, c, NULL::int, n + 1 FROM t WHERE n < 5
) SELECT a, b, c FROM t;

-- a recursive CTE: the first arm has NULLs
--> ? ! : many
WITH RECURSIVE t(a, n) AS (SELECT NULL::int, 1 UNION ALL SELECT 1, n + 1 FROM t WHERE n < 3) SELECT a, n FROM t;

-- a recursive CTE over an outer join
--> ! ? : many
WITH RECURSIVE t(n, total) AS (
    SELECT 1, 0::numeric UNION ALL SELECT n + 1, o.total FROM t LEFT JOIN orders o ON o.id = n + 3 WHERE n < 4
) SELECT n, total FROM t;

-- a recursive CTE with an array as its path
--> ! ! : many
WITH RECURSIVE t(id, path) AS (
    SELECT id, ARRAY[id] FROM users WHERE manager_id IS NULL UNION ALL SELECT u.id, t.path || u.id FROM users u JOIN t ON u.manager_id = t.id
) SELECT id, path FROM t;

-- SEARCH adds a column
--> ! ! : many
WITH RECURSIVE t(id) AS (
    SELECT id FROM users WHERE manager_id IS NULL UNION ALL SELECT u.id FROM users u JOIN t ON u.manager_id = t.id
) SEARCH DEPTH FIRST BY id SET ordering SELECT id, ordering FROM t;

-- CYCLE adds two columns
--> ! ! ! : many
WITH RECURSIVE t(id) AS (
    SELECT id FROM users WHERE manager_id IS NULL UNION ALL SELECT u.id FROM users u JOIN t ON u.manager_id = t.id
) CYCLE id SET looped USING path SELECT id, looped, path FROM t;

-- SEARCH and CYCLE together, with marks of one's own
--> ! ! ! ! : many
WITH RECURSIVE t(id) AS (
    SELECT id FROM users WHERE manager_id IS NULL UNION ALL SELECT u.id FROM users u JOIN t ON u.manager_id = t.id
) SEARCH BREADTH FIRST BY id SET ordering CYCLE id SET looped TO 'Y' DEFAULT 'N' USING path SELECT id, ordering, looped, path FROM t;

-- a CTE that writes
--> ! ? : many
WITH gone AS (DELETE FROM orders WHERE total < 100 RETURNING id, note) SELECT id, note FROM gone;

-- a CTE that writes one row
--> ! ? : 1
WITH new AS (INSERT INTO orders (user_id, total) VALUES (7, 1) RETURNING id, note) SELECT id, note FROM new;

-- UNION: one side may be NULL
--> ! ? : many
SELECT id, email FROM users UNION SELECT user_id, note FROM orders;

-- UNION ALL: both sides are not NULL
--> ! ! : many
SELECT id, email FROM users UNION ALL SELECT user_id, 'none' FROM orders;

-- UNION with NULL
--> ? : many
SELECT email FROM users UNION ALL SELECT NULL;

-- INTERSECT: one proven side is enough
--> ! : many
SELECT manager_id FROM users INTERSECT SELECT id FROM users;

-- INTERSECT of two that may be NULL
--> ? : many
SELECT name FROM users INTERSECT SELECT note FROM orders;

-- EXCEPT: the left side counts
--> ! : many
SELECT id FROM users EXCEPT SELECT manager_id FROM users;

-- EXCEPT with NULLs on the left
--> ? : many
SELECT name FROM users EXCEPT SELECT email FROM users;

-- set operations nest
--> ! : many
(SELECT id FROM users UNION SELECT user_id FROM orders) INTERSECT SELECT manager_id FROM users;

-- set operations of different types
--> ! : many
SELECT id FROM users UNION SELECT total FROM orders;

-- a set operation in FROM
--> ! ? : many
SELECT a, b FROM (SELECT id AS a, name AS b FROM users UNION SELECT 0, NULL) s;

-- VALUES as a statement
--> ! ? : many
VALUES (1, 'a'), (2, NULL);

-- VALUES of one row
--> ! : 1
VALUES (1);
