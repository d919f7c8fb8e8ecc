-- name: RenameUsers :batchexec
UPDATE users SET name = @name WHERE id = @id;

-- name: FindUsers :batchone
SELECT * FROM users WHERE id = @id;

-- name: CountOrders :batchone
SELECT count(*) FROM orders WHERE user_id = @user_id;

-- name: OrdersOf :batchmany
SELECT id, total FROM orders WHERE user_id = @user_id ORDER BY id;

-- name: CreateUsers :batchone
INSERT INTO users (id, name) VALUES (@id, @name) RETURNING id;
