-- @notnull id because
-- name: Ids :many
SELECT id FROM users;

-- @one exactly because
-- name: CountUsers :one
SELECT count(*) FROM users;

-- @one first because
-- name: ById :one
SELECT name FROM users WHERE id = $1;
