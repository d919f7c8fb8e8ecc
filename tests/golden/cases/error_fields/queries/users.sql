-- name: Counted :one
SELECT count(*) AS count, max(id) AS top FROM users;
