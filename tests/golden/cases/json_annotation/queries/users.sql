-- @json settings: shop.domain.Settings
-- name: SettingsOf :one
SELECT id, settings FROM users WHERE id = @id;

-- @json settings: shop.domain.Settings
-- name: SetSettings :execrows
UPDATE users SET settings = @settings WHERE id = @id;
