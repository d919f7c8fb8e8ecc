-- name: NameOf :one
SELECT name FROM users WHERE id = @id;

-- name: AnyUser :one
SELECT name FROM users LIMIT 1;
