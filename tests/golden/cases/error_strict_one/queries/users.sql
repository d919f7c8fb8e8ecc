-- name: FirstByName :one
SELECT id, name FROM users WHERE name = @name;

-- name: ById :one
SELECT id, name FROM users WHERE id = @id;

-- name: RenameAll :one
UPDATE users SET name = @name RETURNING id;
