-- name: GetUser :one
SELECT name FROM users WHERE id = $1;

-- name: AddUsers :batchexec
INSERT INTO users (id, name) VALUES (@id, @name);

-- name: CopyUsers :copyfrom
INSERT INTO users (id, name) VALUES (@id, @name);

-- name: Größe :one
SELECT count(*) FROM users;
