-- INSERT of one row
--> ! ! ? : 1 : $1! $2! $3?
INSERT INTO users (id, email, name, badge, rank, phone) VALUES ($1::int, $2::text, $3::text, 'b', 'r', '0') RETURNING id, email, name;

-- INSERT: a default is inserted, and it is not NULL
--> ! ! ? : 1
INSERT INTO users (id, email, badge, rank, phone) VALUES (50, 'e@x', 'b', 'r', '0') RETURNING seen_at, joined_at, motto;

-- INSERT: the value that is inserted is not NULL
--> ! ! ? : 1
INSERT INTO orders (user_id, total, note) VALUES (1, 2, 'x') RETURNING note, id, reference;

-- INSERT of DEFAULT
--> ! ? : 1
INSERT INTO users (id, email, badge, rank, phone, seen_at, name) VALUES (51, 'f@x', 'b', 'r', '0', DEFAULT, DEFAULT) RETURNING seen_at, name;

-- INSERT: generated columns
--> ! ? : 1
INSERT INTO users (id, email, badge, rank, phone) VALUES (52, 'g@x', 'b', 'r', '0') RETURNING email_length, name_length;

-- INSERT of two rows
--> ! ? : many : $1? $2?
INSERT INTO orders (user_id, total, note) VALUES (1, 2, $1::text), (1, 3, $2::text) RETURNING id, note;

-- INSERT of two rows, all values proven
--> ! ! : many
INSERT INTO orders (user_id, total, note) VALUES (1, 2, 'a'), (1, 3, 'b') RETURNING id, note;

-- INSERT … SELECT
--> ! ? : many
INSERT INTO orders (user_id, total, note) SELECT id, 1, name FROM users RETURNING id, note;

-- INSERT … SELECT by key
--> ! : 0..1
INSERT INTO orders (user_id, total) SELECT id, 1 FROM users WHERE id = $1::int RETURNING id;

-- INSERT … SELECT of a parameter
--> ! ? : 1 : $1! $2?
INSERT INTO orders (user_id, total, note) SELECT 1, $1::numeric, $2::text RETURNING id, note;

-- INSERT … SELECT unnest
--> ! ? : many : $1![!] $2![?]
INSERT INTO orders (user_id, total, note) SELECT 1, t, n FROM unnest($1::numeric[], $2::text[]) u(t, n) RETURNING id, note;

-- ON CONFLICT DO NOTHING
--> ! : 0..1
INSERT INTO users (id, email, badge, rank, phone) VALUES ($1::int, 'h@x', 'b', 'r', '0') ON CONFLICT DO NOTHING RETURNING id;

-- ON CONFLICT DO UPDATE
--> ! ? : 1
INSERT INTO orders (user_id, total, reference) VALUES (1, 2, 'a') ON CONFLICT (reference) DO UPDATE SET total = excluded.total RETURNING id, note;

-- ON CONFLICT DO UPDATE: both ways put a value there
--> ! ! ! ? : 1
INSERT INTO orders (user_id, total, reference, note, placed_on) VALUES (1, 2, 'd', 'n', now()) ON CONFLICT (reference) DO UPDATE SET note = excluded.note, reference = 'd' RETURNING id, note, reference, placed_on;

-- ON CONFLICT DO UPDATE with WHERE
--> ! : 0..1
INSERT INTO orders (user_id, total, reference) VALUES (1, 2, 'a') ON CONFLICT (reference) DO UPDATE SET total = 3 WHERE orders.total > 100 RETURNING id;

-- ON CONFLICT DO UPDATE: the parameters
--> ! : 1 : $1! $2?
INSERT INTO orders (user_id, total, reference) VALUES (1, $1::numeric, 'a') ON CONFLICT (reference) DO UPDATE SET note = $2::text RETURNING id;

-- a parameter that is written and compared may not be None
--> ? : many : $1!
UPDATE orders SET note = $1::text WHERE reference = $1::text OR total > 0 RETURNING placed_on;

-- a parameter that is written twice, to columns of both kinds
--> ! : 1 : $1!
INSERT INTO users (id, email, name, badge, rank, phone) VALUES (53, $1::text, $1::text, 'b', 'r', '0') RETURNING id;

-- a parameter written to a NOT NULL domain, and to one that is not
--> ! : 1 : $1! $2?
INSERT INTO users (id, email, badge, motto, rank, phone) VALUES (54, 'i@x', $1::text, $2::text, 'r', '0') RETURNING id;

-- a parameter written to a column with CHECK (x IS NOT NULL)
--> ! : 1 : $1!
INSERT INTO users (id, email, badge, rank, phone) VALUES (55, 'j@x', 'b', 'r', $1::text) RETURNING id;

-- a parameter inside of an expression that is written
--> ! : 1 : $1!
INSERT INTO orders (user_id, total, note) VALUES (1, 2, upper($1::text)) RETURNING id;

-- a BEFORE trigger may change what is written, and skip the row
--> ! ! ? : 0..1
INSERT INTO audited (id, what, who) VALUES ($1::int, 'x', 'me') RETURNING id, what, who;

-- a rule rewrites the statement
--> : many
INSERT INTO ruled (id, what) VALUES (1, 'x');

-- INSERT through a view
--> ! ? : 1
INSERT INTO noted_orders (user_id, total) VALUES (56, 1) RETURNING id, note;

-- INSERT through a view with an INSTEAD OF trigger
--> ~ ? : 0..1
INSERT INTO trapped (id, email) VALUES (57, 'l@x') RETURNING id, email;

-- INSERT into a partitioned table
--> ! ! : 1
INSERT INTO events (id, day, what) VALUES (5, '2024-02-02', 'x') RETURNING id, what;

-- UPDATE by key
--> ! ? : 0..1 : $1? $2!
UPDATE users SET name = $1::text WHERE id = $2::int RETURNING id, name;

-- UPDATE of many
--> ! ? : many
UPDATE users SET age = age + 1 RETURNING email, age;

-- UPDATE: the value that is assigned is not NULL
--> ! : many
UPDATE users SET age = coalesce(age, 0) RETURNING age;

-- UPDATE: WHERE tells of a column that is not assigned
--> ! ? : many
UPDATE users SET age = manager_id WHERE name IS NOT NULL AND age IS NOT NULL RETURNING name, age;

-- UPDATE: WHERE tells what the assigned expression sees
--> ! : many
UPDATE users SET age = age + 1 WHERE age > 0 RETURNING age;

-- UPDATE with a trigger: what WHERE tells is about the row before
--> ? : many
UPDATE audited SET what = 'y' WHERE who IS NOT NULL RETURNING who;

-- UPDATE … FROM
--> ! ! ? : many
UPDATE users u SET age = 1 FROM orders o WHERE o.user_id = u.id RETURNING u.id, o.total, o.note;

-- UPDATE … FROM a LEFT JOIN
--> ! ! ? : many
UPDATE users u SET age = 1 FROM orders o LEFT JOIN items i ON i.order_id = o.id WHERE o.user_id = u.id RETURNING u.id, o.total, i.sku;

-- UPDATE … FROM by key, through a join on a key
--> ! : 0..1
UPDATE users u SET age = 1 FROM orders o WHERE o.user_id = u.id AND o.id = $1::bigint RETURNING u.id;

-- UPDATE … FROM VALUES, the parameters
--> ! : many : $1! $2? $3! $4?
UPDATE users u SET name = v.name FROM (VALUES ($1::int, $2::text), ($3::int, $4::text)) v(id, name) WHERE v.id = u.id RETURNING u.id;

-- UPDATE of several columns from a subquery
--> ? ! : 0..1
UPDATE users SET (name, age) = (SELECT note, 1 FROM orders WHERE user_id = 77) WHERE id = 1 RETURNING name, email;

-- UPDATE with a condition on half a key
--> ! : many
UPDATE items SET qty = 1 WHERE order_id = $1::bigint RETURNING sku;

-- UPDATE moves a row to another partition
--> ! : 0..1
UPDATE events SET day = '2025-01-01' WHERE id = 1 AND day = '2023-01-01' RETURNING day;

-- DELETE by key
--> ! ? : 0..1
DELETE FROM orders WHERE id = $1::bigint RETURNING total, note;

-- DELETE with a condition
--> ! : many
DELETE FROM orders WHERE note IS NOT NULL RETURNING note;

-- DELETE … USING
--> ! ! ? : many
DELETE FROM orders o USING users u WHERE u.id = o.user_id RETURNING o.total, u.email, u.name;

-- DELETE … USING a LEFT JOIN
--> ! ? : many
DELETE FROM orders o USING users u LEFT JOIN flags f ON f.user_id = u.id WHERE u.id = o.user_id RETURNING o.total, f.flag;

-- DELETE with a subquery
--> ! : many
DELETE FROM items WHERE order_id IN (SELECT id FROM orders) RETURNING sku;

-- DELETE through a view
--> ! ~ : 0..1
DELETE FROM named_users WHERE id = 2 + $1::int RETURNING id, name;

-- DELETE with an expression in RETURNING
--> ! ! ? : many
DELETE FROM orders RETURNING coalesce(note, ''), CASE WHEN note IS NOT NULL THEN note ELSE 'x' END, (SELECT email FROM users WHERE users.id = orders.user_id);

-- statements without RETURNING have no columns
--> : 0..1
DELETE FROM orders WHERE id = 1;

-- UPDATE without RETURNING
--> : many : $1?
UPDATE users SET motto = $1::text WHERE age > 100;

-- INSERT without RETURNING
--> : 1 : $1?
INSERT INTO orders (user_id, total, note) VALUES (1, 2, $1::text);

-- a CTE that updates, and a query on it
--> ! ? : many
WITH changed AS (UPDATE users SET age = 1 RETURNING id) SELECT o.total, c.id FROM orders o LEFT JOIN changed c ON c.id = o.user_id;

-- the NULL of an empty subquery gets past a NOT NULL domain
--> ? ! : 0..1
UPDATE users SET badge = (SELECT m.badge FROM users m WHERE m.id = 99) WHERE id = 1 RETURNING badge, email;

-- what is converted to a NOT NULL domain is checked
--> ! : 0..1
UPDATE users SET badge = coalesce($1::text, 'x') WHERE id = 1 RETURNING badge;

-- an INSERT of such a NULL
--> ? : 0..1
INSERT INTO users (id, email, badge, rank, phone) SELECT 60, 'm@x', (SELECT m.badge FROM users m WHERE m.id = 99), 'r', '0' FROM users WHERE id = 1 RETURNING badge;

-- a parameter in VALUES whose column is compared, too
--> ! : many : $1!
UPDATE users u SET name = v.name FROM (VALUES ($1::text)) v(name) WHERE v.name <> u.email RETURNING u.id;
