-- name: MoodsOf :one
SELECT moods FROM users WHERE id = @id;
