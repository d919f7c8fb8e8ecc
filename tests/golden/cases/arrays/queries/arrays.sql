-- name: Aggregated :many
SELECT u.mood, array_agg(u.nick) AS nicks, array_agg(u.name) AS names, array_agg(u.mood) AS moods FROM users u GROUP BY u.mood;

-- name: Built :one
SELECT ARRAY[1, NULL] AS holey, ARRAY[1, 2] AS whole, tags FROM tags WHERE id = @id;

-- name: MoodsOrNone :many
SELECT array_agg(b.mood) AS moods FROM users a LEFT JOIN users b ON a.id > b.id GROUP BY a.id;
