-- name: ListMoods :many
SELECT moods FROM users;
