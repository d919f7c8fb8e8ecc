-- name: PageThings :many
-- @page
-- @optional mood, is_new
-- @order id
-- @order numbers: number DESC, double, id
-- @order singles: single, number NULLS FIRST, id DESC
-- @order words: word, short DESC NULLS LAST, key
-- @order moods: mood DESC, padded, is_new, id
-- @order times: day DESC, at DESC, clock DESC, id DESC
-- @order moments: local, at, raw, id
SELECT id, name FROM things CROSS JOIN (SELECT 'x'::text AS name) n
WHERE mood = @mood AND is_new = @is_new
ORDER BY id
LIMIT @page_size;

-- name: PageUsers :many
-- @page
SELECT * FROM users WHERE size < @low OR size > @high ORDER BY mood, lower(name) DESC, id LIMIT @page_size;

-- name: PageNames :many
-- @page
-- @optional self
SELECT name AS row FROM users WHERE nick = @self ORDER BY 1 DESC, id LIMIT @rows;
