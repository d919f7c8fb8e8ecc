-- @json mood: shop.domain.Mood
-- name: MoodOf :one
SELECT id, mood FROM users WHERE id = @id;

-- @json nothing: shop.domain.Mood
-- name: Nothing :one
SELECT id, mood FROM users WHERE id = @id;
