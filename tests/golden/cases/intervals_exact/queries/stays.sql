-- name: Stays :many
SELECT * FROM stays;

-- name: Add :exec
INSERT INTO stays (id, span, spans) VALUES (@id, @span, @spans);
