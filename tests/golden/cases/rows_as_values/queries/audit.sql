-- name: AddAudit :exec
INSERT INTO audit (id, before, after, boxes) VALUES (@id, @before, @after, @boxes);

-- name: GetAudit :one
SELECT * FROM audit WHERE id = @id;

-- name: Latest :one
SELECT latest();

-- name: Split :one
SELECT split(@n);

-- name: Pairs :one
SELECT array_agg(row(id, nick)) AS pairs FROM users;

-- name: Unlike :many
SELECT row(id) AS v FROM users UNION ALL SELECT row('x'::text);

-- name: Cursor :execresult
SELECT id, nick, row(id) AS r, latest() AS u FROM users;
