-- name: People :many
SELECT * FROM people;
