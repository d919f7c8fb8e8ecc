-- name: GetUser :one
SELECT 1 AS one;

-- name: get_user :one
SELECT 2 AS two;

-- name: TwoColumns :many
SELECT id, name AS id FROM users;

-- name: TwoUnnamed :many
SELECT 1, 2;

-- name: TwoParams :many
SELECT id FROM users WHERE id = @user_id AND name = @userId;

-- name: GetThing :many
SELECT 1 AS a, 2 AS b;

-- name: ListThings :many
SELECT * FROM get_thing_rows;
