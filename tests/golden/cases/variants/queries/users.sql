-- name: PatchUser :one
-- @patch or select
UPDATE users SET last_name = @last_name, nick = @nick, settings = @settings, version = version + 1
WHERE id = @id AND version = @version
RETURNING *;

-- name: CountUsers :execrows
-- @optional words
INSERT INTO users (id, last_name, tags, version)
SELECT u.id, u.last_name, u.tags, u.version FROM users u WHERE u.tags && @words AND u.id > 1;
