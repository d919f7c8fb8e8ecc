-- name: Filter :many
SELECT id FROM items WHERE (sqlc.narg('size')::smallint IS NULL OR size > sqlc.narg('size')) AND (sqlc.narg('tag')::text IS NULL OR tag = sqlc.narg('tag'));

-- name: NarrowTypes :exec
UPDATE items SET size = @size, big = @big, tag = @tag, price = @price, tags = @tags WHERE id = @id;

-- name: Page :many
SELECT id FROM items ORDER BY id LIMIT $1 OFFSET $2;

-- name: FirstRows :many
SELECT id FROM items ORDER BY id FETCH FIRST $1 ROWS ONLY;

-- name: Between :many
SELECT id FROM items WHERE size > $1 AND size < $2;

-- name: Twice :many
SELECT id FROM items WHERE big = @value OR price = @value::bigint;

-- name: ByIds :many
SELECT id FROM items WHERE id = ANY($1::int[]);

-- name: NotAPlaceholder :many
SELECT id, '$1 %s %' AS text FROM items WHERE tag LIKE '%$2' AND id = $1; -- $3

-- name: IntoDomain :exec
INSERT INTO counts (id, n) VALUES ($1, $2);

-- name: Subscript :one
SELECT (@values::text[])[@position::int] AS value;
