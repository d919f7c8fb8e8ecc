-- @notnull nock because
-- @nullable nack
-- name: Nicks :many
SELECT nick FROM users;

-- @one exactly because
-- name: Many :many
SELECT nick FROM users;

-- @notnull nothing because
-- name: Nothing :many
SELECT NULL::text AS nothing FROM users;
