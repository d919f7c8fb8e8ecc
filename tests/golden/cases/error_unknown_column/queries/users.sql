-- name: A :one
SELECT id,
       nope
FROM users;

-- name: B :one
SELECT id FROM nousers;
