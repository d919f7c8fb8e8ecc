-- name: GetUser :one
SELECT * FROM users WHERE id = $1;

-- name: ListNames :many
SELECT id, name FROM users ORDER BY id;

-- name: RenameUser :execrows
UPDATE users SET name = @name WHERE id = @id;
