-- name: GetUser :one
SELECT * FROM users WHERE id = @id;

-- name: AddUser :one
INSERT INTO users (id, mail, mood, tags, settings) VALUES (@id, @mail, @mood, @tags, @settings) RETURNING id, mail;
