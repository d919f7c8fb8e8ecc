-- @stream
-- name: StreamUsers :many
SELECT * FROM users ORDER BY id;

-- @stream 50
-- name: StreamTotals :many
SELECT total FROM orders WHERE user_id = @user_id;
