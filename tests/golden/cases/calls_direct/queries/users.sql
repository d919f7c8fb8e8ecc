-- name: GetUser :one
SELECT id, name, nick FROM users WHERE id = $1;

-- name: FindUser :one
SELECT id, name FROM users WHERE name = $1;

-- name: CountUsers :one
SELECT count(*) FROM users;

-- name: ListUsers :many
SELECT id, name, nick FROM users ORDER BY id;

-- name: ListBalances :many
SELECT balance FROM users WHERE id = ANY($1::bigint[]);

-- name: RenameUser :exec
UPDATE users SET name = @name WHERE id = @id;

-- name: DeleteUnnamed :execrows
DELETE FROM users WHERE nick IS NULL;

-- With a cursor: loaders of intervals are set on it.
-- name: GetPatience :one
SELECT patience FROM users WHERE id = $1;

-- With a cursor: that is what is returned.
-- name: TouchUsers :execresult
UPDATE users SET name = name;

-- With a cursor: rows are fetched while the query runs.
-- name: StreamUsers :many
-- @stream
SELECT id, name FROM users;

-- With a cursor: all executions are in one pipeline.
-- name: RenameUsers :batchexec
UPDATE users SET name = @name WHERE id = @id;
