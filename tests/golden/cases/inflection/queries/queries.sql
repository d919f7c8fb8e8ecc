-- name: AllNews :many
SELECT * FROM news;

-- name: AllUsers :many
SELECT * FROM users;
