INSERT INTO users (id, email, name, age, status, active, tags, prefs, badge, rank, motto, manager_id, seen_at, wallet, phone) VALUES
    (1, 'Ann@x', 'ann', 30, 'happy', true, '{a,b}', '{"a": 1, "n": null, "l": [1, null]}', 'c1', 'r1', 'GO', NULL, now(), ROW(1, 'EUR'), '1'),
    (2, 'bob@x', NULL, NULL, 'sad', false, '{}', NULL, 'c2', 'r2', NULL, 1, NULL, NULL, '2'),
    (3, 'cy@x', 'ann', 0, 'ok', false, '{c}', 'null', 'c3', 'r3', NULL, 1, NULL, ROW(NULL, NULL), '3'),
    (4, 'di@x', NULL, 5, 'ok', true, '{}', '[]', 'c4', 'r4', NULL, 2, now(), ROW(NULL, 'USD'), '4'),
    (5, 'ed@x', NULL, -1, 'ok', false, '{}', '{}', 'c5', 'r5', NULL, 2, now(), NULL, '5'),
    (6, 'fay@x', NULL, NULL, 'ok', true, '{z}', NULL, 'c6', 'r6', NULL, NULL, NULL, NULL, '6');
INSERT INTO orders (user_id, total, note, placed_on, number, reference) VALUES
    (1, 10, 'first', '2024-01-01', 1, 'a'), (1, 20, NULL, NULL, NULL, NULL), (2, 5, NULL, 'infinity', 2, 'b'), (9, 1, NULL, NULL, NULL, NULL), (4, 7, 'later', NULL, 4, 'd');
INSERT INTO items VALUES (1, 1, 's1', 1), (1, 2, 's2', NULL), (2, 1, 's1', NULL), (8, 1, 's9', 3);
INSERT INTO flags VALUES (1, true), (1, false), (2, true), (7, true);
ALTER TABLE audited DISABLE TRIGGER skipping;
INSERT INTO audited VALUES (1, 'one', 'x'), (2, 'two', NULL);
ALTER TABLE audited ENABLE TRIGGER skipping;
INSERT INTO animals VALUES (1, 'cat', 4);
INSERT INTO birds VALUES (1, 'crow', NULL, 2), (2, 'kiwi', NULL, NULL);
INSERT INTO events VALUES (1, '2023-01-01', NULL), (1, '2024-06-01', 'x');
-- PostgreSQL's own way around a NOT NULL domain.
UPDATE users SET badge = (SELECT badge FROM users WHERE false), rank = (SELECT rank FROM users WHERE false) WHERE id = 6;
REFRESH MATERIALIZED VIEW order_stats;
INSERT INTO files VALUES (1, 1, 'a', 'a', 1.0, 'a', 'a'), (2, 1, 'GO', 'GO', 1.00, 'a ', 'a'), (3, 2, 'A', 'a', 5, 'a  ', 'GO'), (4, 1, 'zz', 'zz', 9, 'zz  ', 'zz');
INSERT INTO folders VALUES (1, NULL, 'a'), (2, NULL, 'zz'), (3, 1, 'a'), (4, 1, 'GO');
INSERT INTO shelves VALUES (1, NULL, 'a'), (2, NULL, 'a'), (3, 1, 'a'), (4, NULL, 'GO');
INSERT INTO settings VALUES (true, 'dark');
INSERT INTO counters VALUES (1, 0);
INSERT INTO loose_settings VALUES (1, 'dark'), (NULL, 'light'), (NULL, 'none');
INSERT INTO late_settings VALUES (1, 'dark'), (2, 'light');
ALTER TABLE late_settings ADD CHECK (id = 1) NOT VALID;
INSERT INTO either_settings VALUES (1, 'dark'), (2, 'light');
INSERT INTO null_settings VALUES (1, 'dark'), (2, 'light');
INSERT INTO lonely VALUES ('dark');
INSERT INTO lonely_null VALUES ('dark'), ('light');
INSERT INTO heads VALUES (1, 1), (2, 2);
-- As a subscriber of logical replication does, and pg_restore --disable-triggers.
SET session_replication_role = replica;
INSERT INTO heads VALUES (3, 77);
SET session_replication_role = origin;
INSERT INTO labels VALUES (1, '{a,b}', '{a,NULL}'), (2, '{}', '{}');
INSERT INTO switches VALUES (1, true, 1), (1, true, 2), (1, false, 1), (2, false, 1);
INSERT INTO guarded VALUES (1), (2);
INSERT INTO unguarded VALUES (1), (2);
INSERT INTO choosy VALUES (1, 'a', 'a', 'a', '{a}', 'a', NULL, 'a', 'a');
