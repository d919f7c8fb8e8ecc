-- name: GetUser :one
SELECT id, name, nick FROM users WHERE id = $1;

-- Reads several tables, so no single one is named.
-- name: ListReferrals :many
SELECT users.name, other.name AS other FROM users JOIN orders ON orders.user_id = users.id JOIN users AS other ON other.id = orders.id;

-- The change is what is traced, not the query around it.
-- name: MoveUser :one
WITH gone AS (DELETE FROM users WHERE id = $1 RETURNING name) SELECT name FROM gone;

-- name: RenameUser :exec
UPDATE users SET name = @name WHERE id = @id;

-- name: CleanUp :exec
CALL clean_up(@days);

-- name: EmptyOrders :exec
TRUNCATE orders;

-- name: StreamUsers :many
-- @stream
SELECT id, name FROM users;

-- name: RenameUsers :batchexec
UPDATE users SET name = @name WHERE id = @id;

-- name: CopyOrders :copyfrom
INSERT INTO orders (id, user_id) VALUES (@id, @user_id);
