-- name: A :many
SELECT *
FROM users
WHERE name > id;

-- name: B :many
SELECT id, count(*)
FROM users
WHERE id = @id;
