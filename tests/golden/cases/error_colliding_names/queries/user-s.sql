-- name: X1 :one
SELECT 1 AS one;
