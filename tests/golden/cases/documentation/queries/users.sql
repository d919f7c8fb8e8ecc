-- This comment belongs to the file.

-- Get a user by key.
--
-- A longer text, with "quotes", """three of them""" and a \backslash.
-- name: GetUser :one
SELECT * FROM users WHERE id = $1;

-- name: ListUsers :many
-- List all of them.
SELECT * FROM users;

-- name: Undocumented :many
SELECT * FROM silent WHERE name = E'it''s \\ """';
