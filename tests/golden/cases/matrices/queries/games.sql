-- name: AddGame :one
INSERT INTO games (id, cells, labels, g) VALUES (@id, @cells, @labels, @g) RETURNING *;

-- name: AllLabels :one
SELECT array_agg(labels) AS labels FROM games;

-- name: Echo :one
SELECT @matrix::int[][] AS matrix, @list::int[] AS list;

-- name: Grids :one
SELECT @grids::grid[] AS grids;
