-- name: PerhapsNotes :many
SELECT users.id, sqlc.embed(notes) FROM users LEFT JOIN notes ON notes.note = users.nick;

-- name: Twice :many
SELECT sqlc.embed(users), 1 AS users FROM users;
