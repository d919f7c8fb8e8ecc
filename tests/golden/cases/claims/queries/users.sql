-- Nicknames of those who must have one.
-- @notnull nick the sign-up form asks for it
-- name: Nicks :many
SELECT nick FROM users;

-- name: Marked :many
SELECT nick AS "nick!", name AS "name?", id FROM users;

-- @one exactly the settings hold one row
-- name: Settings :one
SELECT id, name FROM users;

-- @one first any of them will do
-- name: AnyUser :one
SELECT id, name FROM users;

-- name: FirstByName :one
SELECT id, name FROM users WHERE name = @name;
