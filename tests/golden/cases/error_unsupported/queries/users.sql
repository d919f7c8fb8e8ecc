-- name: LastId :execlastid
INSERT INTO users (name) VALUES ($1);

-- name: Embedded :many
SELECT sqlc.embed(users), 1 AS one FROM users;

-- name: Slice :many
SELECT id FROM users WHERE id IN (sqlc.slice('ids'));

-- @nulable nick
-- name: Annotated :many
SELECT nick FROM users;
