-- name: ListTools :many
SELECT * FROM tools;

-- name: ListRetired :many
SELECT * FROM tools WHERE retired_at IS NOT NULL;
