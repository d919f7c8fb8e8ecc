-- Orders, as the clerk filters them.
-- name: FindOrders :many
-- @optional state, since, until, customer
-- @order newest
-- @order largest: o.total DESC, o.id
-- @count
-- @exists HasOrders
SELECT o.id, o.state, o.placed_at, o.shipped_at, o.total, u.last_name
FROM orders o JOIN users u ON u.id = o.user_id
WHERE o.state = @state
  AND o.shipped_at >= @since AND o.placed_at BETWEEN @since AND @until
  AND u.last_name ILIKE @customer
ORDER BY o.placed_at DESC, o.id DESC
LIMIT @max_rows;

-- The first row of the shipped orders, with a filter in a WITH item, and braces.
-- name: FirstShipped :one
-- @optional state
WITH shipped AS (SELECT * FROM orders WHERE shipped_at IS NOT NULL AND state = @state)
SELECT shipped_at, '{}'::text AS nothing FROM shipped ORDER BY id LIMIT 1;

-- name: Total :one
-- @optional user_id
SELECT sum(total) FROM orders WHERE user_id = @user_id;

-- name: StreamOrders :many
-- @stream
-- @optional state
-- @order id
SELECT id FROM orders WHERE state = @state ORDER BY id;

-- Orders, a page at a time.
-- name: PageOrders :many
-- @optional state
-- @order newest
-- @order largest: o.total DESC, o.id
-- @order shipped: o.shipped_at NULLS FIRST, o.id
-- @page
SELECT o.id, o.placed_at, u.last_name
FROM orders o JOIN users u ON u.id = o.user_id
WHERE o.state = @state
ORDER BY o.placed_at DESC, o.id DESC
LIMIT @page_size;

-- name: PageIds :many
-- @page
SELECT id FROM orders ORDER BY 1 LIMIT @page_size;

-- Whole rows, between two ids.
-- name: PageBetween :many
-- @page
SELECT * FROM orders WHERE id < @low OR id > @high AND total BETWEEN @least AND @most ORDER BY state, id DESC LIMIT @page_size;
