-- name: X2 :one
SELECT 1 AS one;
