-- name: FindUsers :many
-- @optional name, nick, mood, ids, low, high, words
-- @order id
-- @order name: name DESC, id
-- @count
-- @exists HasUsers
SELECT id FROM users
WHERE name ILIKE @name AND nick IS NOT DISTINCT FROM sqlc.narg(nick) AND mood = @mood AND id = ANY(@ids::int[])
  AND size BETWEEN @low AND @high AND to_tsvector('simple', name) @@ plainto_tsquery('simple', @words)
ORDER BY id
LIMIT @max_rows;

-- name: PatchUser :one
-- @patch
UPDATE users SET name = @name, nick = @nick, data = @data, moods = @moods, size = size + 1 WHERE id = @id RETURNING *;

-- name: TouchUser :one
-- @patch or select
-- @optional mood
WITH found AS (SELECT f.id FROM users f WHERE f.size > @least)
UPDATE users u SET nick = @nick, name = initcap(@name), size = u.size + 1
WHERE u.id = @id AND u.mood = @mood AND u.id IN (SELECT id FROM found)
RETURNING u.id, u.name, u.nick, u.size, u.size + @more::int AS more;

-- name: RenameUsers :execrows
-- @patch name
-- @optional mood
UPDATE users SET name = upper(@name), nick = @nick WHERE id > @id AND mood = @mood;

-- name: StreamUsers :many
-- @stream 2
-- @optional mood
SELECT id, name FROM users WHERE mood = @mood ORDER BY id;

-- name: TotalOf :one
-- @optional user_id
SELECT coalesce(sum(total), 0) AS total FROM (SELECT total FROM orders WHERE user_id = @user_id) o;

-- name: CursorOfUsers :execresult
-- @optional sql
SELECT id FROM users WHERE name = @sql ORDER BY id;
