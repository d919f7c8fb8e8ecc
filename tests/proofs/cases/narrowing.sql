-- IS NOT NULL
--> ! : many
SELECT name FROM users WHERE name IS NOT NULL;

-- a comparison
--> ! ? : many
SELECT age, name FROM users WHERE age > 3;

-- an equality with a parameter
--> ! : many
SELECT age FROM users WHERE age = $1::int;

-- a parameter that may be None is not None in a row that passed
--> ! : many : $1?
SELECT $1::int FROM users WHERE age = $1::int;

-- a strict function around the column
--> ! : many
SELECT name FROM users WHERE lower(name) = 'ann';

-- a function that is not strict tells nothing
--> ? : many
SELECT name FROM users WHERE concat(name, 'x') <> 'y';

-- COALESCE tells nothing
--> ? : many
SELECT age FROM users WHERE coalesce(age, 1) >= 0;

-- OR: both sides must tell it
--> ? ! : many
SELECT name, age FROM users WHERE name = 'ann' AND age > 1 OR age < 1;

-- OR with IS NULL tells nothing
--> ? : many
SELECT age FROM users WHERE age > $1::int OR age IS NULL;

-- AND
--> ! ! : many
SELECT name, age FROM users WHERE name = 'ann' AND age >= 0;

-- NOT of a comparison
--> ! : many
SELECT age FROM users WHERE NOT (age > 3);

-- NOT of IS NULL
--> ! : many
SELECT age FROM users WHERE NOT (age IS NULL);

-- NOT of OR, NOT of AND
--> ! ! : many
SELECT name, age FROM users WHERE NOT (name IS NULL OR age IS NULL);

-- NOT of AND tells what both sides tell
--> ? : many
SELECT name FROM users WHERE NOT (name IS NULL AND age IS NULL);

-- IS TRUE, IS NOT UNKNOWN
--> ! ! : many
SELECT age, name FROM users WHERE (age >= 0) IS TRUE AND (name = 'ann') IS NOT UNKNOWN;

-- IS FALSE
--> ! : many
SELECT age FROM users WHERE (age > 3) IS FALSE;

-- IS NOT TRUE tells nothing of a comparison
--> ? : many
SELECT age FROM users WHERE (age > 3) IS NOT TRUE;

-- IS NOT TRUE of IS NULL
--> ! : many
SELECT age FROM users WHERE (age IS NULL) IS NOT TRUE;

-- LIKE and IN
--> ! ! : many
SELECT name, age FROM users WHERE name LIKE 'a%' AND age IN (30, 0);

-- NOT IN a list
--> ! : many
SELECT age FROM users WHERE age NOT IN (98, 99);

-- IN a subquery
--> ! : many
SELECT manager_id FROM users WHERE manager_id IN (SELECT id FROM users);

-- NOT IN a subquery that is empty lets NULL pass
--> ? : many
SELECT manager_id FROM users WHERE manager_id NOT IN (SELECT id FROM users WHERE id > 90);

-- ANY of an array; ALL of an empty array lets NULL pass
--> ! ? : many
SELECT u.age, v.age FROM users u, users v WHERE u.age = ANY ('{0,30}'::int[]) AND v.age <> ALL ($1::int[]);

-- IS NOT DISTINCT FROM a value
--> ! ? : many
SELECT u.age, v.age FROM users u, users v WHERE u.age IS NOT DISTINCT FROM 30 AND v.age IS NOT DISTINCT FROM v.manager_id;

-- IS DISTINCT FROM tells nothing
--> ? : many
SELECT age FROM users WHERE age IS DISTINCT FROM 3;

-- a comparison of rows tells of the first column
--> ! ? : many
SELECT age, manager_id FROM users WHERE (age, manager_id) > (1, 1);

-- an equality of rows tells of all
--> ! ! : many
SELECT age, name FROM users WHERE (age, name) = (30, 'ann');

-- a row IS NOT NULL
--> ! ! : many
SELECT age, name FROM users WHERE (age, name) IS NOT NULL;

-- NOT of a row IS NULL says that one of the two is there
--> ? ? : many
SELECT age, name FROM users WHERE NOT ((age, motto, name) IS NULL) OR true;

-- a whole row IS NOT NULL
--> ! ! : many
SELECT o.total, o.note FROM users u LEFT JOIN orders o ON o.user_id = u.id WHERE o IS NOT NULL;

-- NOT of a whole row IS NULL says that the row is there
--> ! ? : many
SELECT o.total, o.note FROM users u LEFT JOIN orders o ON o.user_id = u.id WHERE NOT (o IS NULL);

-- a composite value IS NOT NULL
--> ! : many
SELECT wallet FROM users WHERE wallet IS NOT NULL;

-- CASE as a condition tells nothing
--> ? : many
SELECT age FROM users WHERE CASE WHEN age > 1 THEN true ELSE true END;

-- an arithmetic expression
--> ! ! : many
SELECT age, manager_id FROM users WHERE age + manager_id > -1;

-- NULLIF tells of its first argument
--> ! : many
SELECT name FROM users WHERE nullif(name, 'x') = 'ann';

-- an element of an array tells of the array
--> ! : many
SELECT prefs FROM users WHERE prefs['a'] IS NOT NULL;

-- a condition behind a LEFT JOIN brings the whole row back
--> ! ! ? : many
SELECT o.id, o.total, o.note FROM users u LEFT JOIN orders o ON o.user_id = u.id WHERE o.total > 0;

-- a condition in ON does not
--> ? ? : many
SELECT o.id, o.note FROM users u LEFT JOIN orders o ON o.user_id = u.id AND o.total > 0;

-- a condition in ON holds for the rows that are not null-extended
--> ? : many
SELECT o.note FROM users u LEFT JOIN orders o ON o.user_id = u.id AND o.note IS NOT NULL;

-- a condition in ON together with one in WHERE
--> ! ! : many
SELECT o.total, o.note FROM users u LEFT JOIN orders o ON o.user_id = u.id AND o.note IS NOT NULL WHERE o.id IS NOT NULL;

-- when the LEFT JOIN found a match, its ON holds for the left side, too
--> ! : many
SELECT u.manager_id FROM users u LEFT JOIN users m ON m.id = u.manager_id WHERE m.id IS NOT NULL;

-- an ON condition tells nothing of the left side otherwise
--> ? : many
SELECT u.manager_id FROM users u LEFT JOIN users m ON m.id = u.manager_id;

-- ON of an inner join
--> ! : many
SELECT u.manager_id FROM users u JOIN users m ON m.id = u.manager_id;

-- ON of an inner join inside of the nullable side
--> ? : many
SELECT m.manager_id FROM users u LEFT JOIN (users m JOIN users n ON n.id = m.manager_id) ON m.id = u.id;

-- the same, with the null-extended rows dropped
--> ! : many
SELECT m.manager_id FROM users u LEFT JOIN (users m JOIN users n ON n.id = m.manager_id) ON m.id = u.id WHERE n.email <> '';

-- a condition on the inner of two nested outer joins
--> ! ! : many
SELECT o.total, i.sku FROM users u LEFT JOIN (orders o LEFT JOIN items i ON i.order_id = o.id) ON o.user_id = u.id WHERE i.line > 0;

-- a condition on the outer one leaves the inner one open
--> ! ? : many
SELECT o.total, i.sku FROM users u LEFT JOIN (orders o LEFT JOIN items i ON i.order_id = o.id) ON o.user_id = u.id WHERE o.total > 0;

-- FULL JOIN: a condition on one side brings that side back
--> ! ? : many
SELECT u.email, o.total FROM users u FULL JOIN orders o ON o.user_id = u.id WHERE u.id > 0;

-- FULL JOIN: conditions on both sides
--> ! ! : many
SELECT u.email, o.total FROM users u FULL JOIN orders o ON o.user_id = u.id WHERE u.id > 0 AND o.id > 0;

-- RIGHT JOIN with a condition on its left side
--> ! ! : many
SELECT u.email, o.total FROM users u RIGHT JOIN orders o ON o.user_id = u.id WHERE u.email <> '';

-- IS NULL behind a LEFT JOIN, the anti join
--> ! ? : many
SELECT u.id, o.id FROM users u LEFT JOIN orders o ON o.user_id = u.id WHERE o.id IS NULL;

-- an inner join above tells of a column of the nullable side
--> ! ? : many
SELECT o.total, o.note FROM users u LEFT JOIN orders o ON o.user_id = u.id JOIN flags f ON f.user_id = o.user_id;

-- a condition on a merged column
--> ! ? : many
SELECT user_id, total FROM orders FULL JOIN flags USING (user_id) WHERE user_id > 0;

-- a condition on a subquery's column
--> ! : many
SELECT s.name FROM (SELECT name FROM users) s WHERE s.name <> '';

-- a condition inside of a subquery
--> ! : many
SELECT s.name FROM (SELECT name FROM users WHERE name <> '') s;

-- a volatile column of a subquery keeps its value
--> ! : many
SELECT s.v FROM (SELECT nullif(random() < 0.5, false) AS v FROM generate_series(1, 20)) s WHERE s.v IS NOT NULL;

-- a volatile expression written twice does not
--> ? : many
SELECT nullif(random() < 0.5, false) FROM generate_series(1, 40) WHERE nullif(random() < 0.5, false) IS NOT NULL;

-- WHERE of an outer query level tells a subquery
--> ! : many
SELECT (SELECT u.name) FROM users u WHERE u.name IS NOT NULL;

-- EXISTS tells the outer column nothing here
--> ~ : many
SELECT u.manager_id FROM users u WHERE EXISTS (SELECT 1 FROM users m WHERE m.id = u.manager_id);

-- a field of a composite tells that the composite is there
--> ! ? : many
SELECT wallet, (wallet).amount FROM users WHERE (wallet).currency = 'USD';

-- a cast in the condition
--> ! : many
SELECT age FROM users WHERE age::text <> '99';

-- a user's strict function in the condition
--> ! : many
SELECT age FROM users WHERE strict_maybe(age) >= 0;

-- a user's function that is not strict
--> ? : many
SELECT name FROM users WHERE maybe(age) IS NULL;

-- a keyset page
--> ! ! : many
SELECT id, joined_at FROM users WHERE (joined_at, id) < ($1::timestamptz, $2::int) ORDER BY joined_at DESC, id DESC LIMIT 10;

-- an optional filter
--> ? : many : $1?
SELECT name FROM users WHERE $1::text IS NULL OR name = $1::text;

-- a boolean column
--> ! : many
SELECT active FROM users WHERE active;

-- a condition in an aggregate's group
--> ! : many
SELECT max(age) FROM users WHERE age > 0 GROUP BY status;

-- HAVING tells nothing of a column that is not grouped
--> ? : many
SELECT max(name) FROM users GROUP BY status HAVING count(*) > 0;

-- a correlated scalar subquery as a condition
--> ! : many
SELECT age FROM users u WHERE age >= (SELECT count(*) FROM orders o WHERE o.user_id = u.id);

-- NOT of OR of comparisons
--> ! ! : many
SELECT name, age FROM users WHERE NOT (name = 'zz' OR age = 99);

-- IS NOT TRUE of OR
--> ! ! : many
SELECT name, age FROM users WHERE (name IS NULL OR age IS NULL) IS NOT TRUE;

-- a collation and a domain in the condition
--> ! ! : many
SELECT name, motto FROM users WHERE name COLLATE "C" = 'ann' AND upper(motto)::shout = 'GO';

-- a cast of an array in the condition
--> ! : 0..1
SELECT s.a FROM (SELECT array_agg(id) AS a FROM users) s WHERE s.a::text[] @> '{}';

-- a merged column that is cast tells of the column under it
--> ! : many
SELECT a.x FROM (SELECT age AS x FROM users) a LEFT JOIN (SELECT id AS x FROM orders) b USING (x) WHERE x >= 0;
