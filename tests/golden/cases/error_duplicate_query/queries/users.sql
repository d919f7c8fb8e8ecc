-- name: A :one
SELECT 1 AS one;

-- name: A :one
SELECT 2 AS two;
