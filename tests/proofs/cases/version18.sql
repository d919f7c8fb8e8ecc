-- OLD and NEW of an UPDATE
--> ! ! ? : many
UPDATE users SET age = 1 RETURNING old.id, new.age, old.age;

-- OLD of an UPDATE: WHERE tells of the row before
--> ! ! : many
UPDATE users SET age = 1 WHERE age > 2 RETURNING old.age, age;

-- OLD of an INSERT is absent
--> ? ! : 1
INSERT INTO orders (user_id, total) VALUES (1, 2) RETURNING old.id, new.id;

-- OLD of an upsert may be absent
--> ? ! : 1
INSERT INTO orders (user_id, total, reference) VALUES (1, 2, 'a') ON CONFLICT (reference) DO UPDATE SET total = 3 RETURNING old.total, new.total;

-- NEW of a DELETE is absent
--> ! ? : many
DELETE FROM orders RETURNING old.id, new.id;

-- MERGE: matched and not matched
--> ! ! ? ? : many
MERGE INTO orders o USING (VALUES (1, 'a'), (2, 'zz')) s(n, ref) ON o.reference = s.ref
WHEN MATCHED THEN UPDATE SET total = 9 WHEN NOT MATCHED THEN INSERT (user_id, total, reference) VALUES (5, 5, s.ref)
RETURNING o.id, s.n, o.note, old.id;

-- MERGE: merge_action
--> ! : many
MERGE INTO orders o USING users u ON o.user_id = u.id WHEN MATCHED THEN DELETE RETURNING merge_action();

-- MERGE: NEW is absent WHEN MATCHED THEN DELETE
--> ! ! ? : many
MERGE INTO orders o USING (SELECT DISTINCT id FROM users) u ON o.user_id = u.id WHEN MATCHED THEN DELETE RETURNING o.total, u.id, new.total;

-- MERGE: there is no source WHEN NOT MATCHED BY SOURCE
--> ! ? : many
MERGE INTO orders o USING users u ON o.user_id = u.id WHEN NOT MATCHED BY SOURCE THEN DELETE WHEN MATCHED THEN DO NOTHING RETURNING o.total, u.id;

-- MERGE by key
--> ! : 0..1 : $1! $2?
MERGE INTO orders o USING (VALUES ($1::bigint)) s(id) ON o.id = s.id
WHEN MATCHED THEN UPDATE SET note = $2::text WHEN NOT MATCHED THEN INSERT (user_id, total) VALUES (1, 1) RETURNING o.id;

-- MERGE from a source with an outer join
--> ! ? : many
MERGE INTO orders o USING (users u LEFT JOIN flags f ON f.user_id = u.id AND f.flag) ON o.user_id = u.id
WHEN MATCHED THEN UPDATE SET note = 'm' RETURNING u.id, f.flag;

-- a NOT NULL constraint that is NOT VALID
--> ? ! : many
SELECT a, b FROM unchecked;

-- a virtual generated column
--> ! ? : many
SELECT doubled, added FROM virtual_columns;

-- JSON_VALUE, JSON_QUERY
--> ? ? : many
SELECT json_value(prefs, '$.a'), json_query(prefs, '$.a') FROM users;

-- a temporal primary key is not used
--> ! : many
SELECT id FROM periods WHERE id = $1::int;

-- JSON_TABLE
--> ~ ? : many
SELECT n, a FROM json_table('[{"a": 1}, {}]'::jsonb, '$[*]' COLUMNS (n FOR ORDINALITY, a int PATH '$.a'));

-- array functions of 18
--> ![!] ![!] : many
SELECT array_reverse(tags), array_sort(tags) FROM users;

-- MERGE without RETURNING
--> : 0..1 : $1! $2?
MERGE INTO orders o USING (SELECT 1 AS x) s ON o.id = $1::bigint WHEN MATCHED THEN UPDATE SET note = $2::text;

-- JSON, JSON_SCALAR and JSON_SERIALIZE
--> ! ? ! : many
SELECT json_scalar(id), json_scalar(age), json_serialize(json('[1]' || repeat(' ', id))) FROM users;

-- MERGE: a source with something volatile in it may be evaluated again for each row of the target
--> ! : many
MERGE INTO users u USING (SELECT (random() * 4)::int AS id) s ON s.id = u.id WHEN MATCHED THEN UPDATE SET age = 1 RETURNING u.id;

-- MERGE: a source of one row that is the same each time
--> ! : 0..1
MERGE INTO users u USING (SELECT max(user_id) AS id FROM orders) s ON s.id = u.id WHEN MATCHED THEN UPDATE SET age = 1 RETURNING u.id;
