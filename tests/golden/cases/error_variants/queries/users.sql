-- name: UnknownName :many
-- @optional lastname
SELECT id FROM users WHERE last_name = @last_name;

-- name: Misspelt :many
-- @optionl nick
SELECT id FROM users WHERE nick = @nick;

-- name: Repeated :many
-- @optional nick
-- @optional id, nick
-- @order id
-- @order id: nick
SELECT id FROM users WHERE nick = @nick AND id > @id ORDER BY id;

-- name: Incomplete :many
-- @optional
-- @order
SELECT id FROM users WHERE nick = @nick;

-- name: Both :exec
-- @optional nick
-- @patch nick
UPDATE users SET nick = @nick WHERE id = @id;

-- name: Batched :batchexec
-- @patch
UPDATE users SET nick = @nick, last_name = @last_name WHERE id = @id;
