-- name: ByIds :many
SELECT mail FROM users WHERE id IN (sqlc.slice(ids));

-- name: Others :many
SELECT mail FROM users WHERE id NOT IN (sqlc.slice('ids')) AND mood = @mood;
