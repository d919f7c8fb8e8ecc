-- @json more: shop.domain.Label
-- name: AddShelf :one
INSERT INTO shelves (id, many, more) VALUES (@id, @many, @more) RETURNING many, more;
