-- name: GetUser :one
SELECT * FROM users WHERE id = $1;

-- name: ListUsers :many
SELECT id, name, nick FROM users ORDER BY id;

-- name: ListNames :many
SELECT id, name FROM users ORDER BY name;

-- name: CountUsers :one
SELECT count(*) FROM users;

-- name: ListNicks :many
SELECT nick FROM users;

-- name: RenameUser :exec
UPDATE users SET name = @name WHERE id = @id;

-- name: DeleteUnnamed :execrows
DELETE FROM users WHERE nick IS NULL;

-- name: TouchUsers :execresult
UPDATE users SET name = name;

-- name: CreateUser :one
INSERT INTO users (name, nick) VALUES ($1, $2) RETURNING *;
