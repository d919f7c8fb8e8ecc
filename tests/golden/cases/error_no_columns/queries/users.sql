-- name: A :one
DELETE FROM users WHERE id = $1;

-- name: B :many
UPDATE users SET name = $1;
