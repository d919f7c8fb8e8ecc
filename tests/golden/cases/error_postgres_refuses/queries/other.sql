-- name: C :many
SELECT id FROM users WHERE $1 IS NULL;

-- name: D :many
SELECT id FROM users WHERE name = sqlc.arg('name') /* ü */ AND name + 1 > 2;
