-- name: LastId :execlastid
INSERT INTO users (name) VALUES ($1);

-- name: Embedded :many
SELECT sqlc.embed(users), 1 AS one FROM users;

-- @nulable nick
-- name: Annotated :many
SELECT nick FROM users;
