-- @stream
-- name: StreamOne :one
SELECT * FROM users WHERE id = @id;

-- @stream many
-- name: StreamMany :many
SELECT * FROM users;

-- name: LastId :execlastid
INSERT INTO users (id, name) VALUES (@id, @name);

-- name: Cast :copyfrom
INSERT INTO users (id, name) VALUES (@id::int, @name);

-- name: Alias :copyfrom
INSERT INTO users AS u (id, name) VALUES (@id, @name);

-- name: Overriding :copyfrom
INSERT INTO users (id, name) OVERRIDING USER VALUE VALUES (@id, @name);

-- name: Element :copyfrom
INSERT INTO orders (id, user_id, total, moods[1]) VALUES (@id, @user_id, @total, @mood);
