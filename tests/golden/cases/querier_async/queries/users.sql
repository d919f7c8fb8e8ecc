-- name: CreateUser :exec
INSERT INTO users (id, name, nick, mood) VALUES (@id, @name, @nick, @mood);

-- name: RenameUser :execrows
UPDATE users SET name = @name WHERE id = @id;

-- name: GetUser :one
SELECT * FROM users WHERE id = @id;

-- name: ListUsers :many
SELECT * FROM users ORDER BY id;

-- name: CreateOrder :one
INSERT INTO orders (id, user_id, total, moods) VALUES (@id, @user_id, @total, @moods) RETURNING id;

-- name: Row :many
-- The variable of the loop in its method has another name.
SELECT id FROM users WHERE name = @name;
