-- name: Whole :many
SELECT * FROM people;
