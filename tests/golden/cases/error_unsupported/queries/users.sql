-- name: Copy :copyfrom
INSERT INTO users (name, nick) VALUES ($1, $2);

-- name: Batch :batchexec
UPDATE users SET name = $1;

-- name: LastId :execlastid
INSERT INTO users (name) VALUES ($1);

-- name: Embedded :many
SELECT sqlc.embed(users), 1 AS one FROM users;

-- @nulable nick
-- name: Annotated :many
SELECT nick FROM users;
