-- name: IntoView :copyfrom
INSERT INTO names (id, name) VALUES (@id, @name);
