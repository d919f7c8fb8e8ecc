-- name: LeftJoin :many
SELECT u.id, u.name, o.id AS order_id, o.total FROM users u LEFT JOIN orders o ON o.user_id = u.id;

-- name: RightJoin :many
SELECT u.id, o.id AS order_id FROM users u RIGHT JOIN orders o ON o.user_id = u.id;

-- name: FullJoin :many
SELECT u.id, o.id AS order_id FROM users u FULL JOIN orders o ON o.user_id = u.id;

-- name: Nested :many
SELECT u.id, o.id AS order_id, v.name FROM users v LEFT JOIN (users u JOIN orders o ON o.user_id = u.id) ON v.id = u.id;

-- name: WholeLeftRow :many
SELECT u.* FROM orders o LEFT JOIN users u ON o.user_id = u.id;

-- name: Aggregates :many
SELECT u.id, count(o.id) AS orders, max(o.total) AS largest, string_agg(u.nick, ',') AS nicks
FROM users u LEFT JOIN orders o ON o.user_id = u.id GROUP BY u.id;

-- name: FromView :many
SELECT * FROM user_totals;
