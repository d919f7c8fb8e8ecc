-- Place an order with all of its lines, in one round trip: the arrays contain one element for each line, in order.
-- The total is computed here from the lines. Returns no row if the user was erased.
-- name: PlaceOrder :one
WITH lines AS (
    SELECT
        generate_subscripts(@skus::varchar[], 1)::smallint AS line_number,
        unnest(@skus::varchar[]) AS sku,
        unnest(@titles::varchar[]) AS title,
        unnest(@quantities::integer[]) AS quantity,
        unnest(@unit_prices_minor::bigint[]) AS unit_price_minor
),
placed AS (
    INSERT INTO orders (user_id, currency, total_minor)
    SELECT @user_id, @currency, coalesce(sum(quantity * unit_price_minor), 0)::bigint
    FROM lines
    HAVING EXISTS (SELECT FROM users WHERE users.id = @user_id AND users.erased_at IS NULL)
    RETURNING id, user_id, status, currency, total_minor, placed_at, updated_at, version, placed_in
),
written AS (
    INSERT INTO order_lines (order_id, line_number, sku, title, quantity, unit_price_minor)
    SELECT placed.id, lines.line_number, lines.sku, lines.title, lines.quantity, lines.unit_price_minor
    FROM placed CROSS JOIN lines
)
SELECT id, user_id, status, currency, total_minor, placed_at, updated_at, version, placed_in
FROM placed;

-- Get an order with its lines, one row for each line.
-- name: GetOrderWithLines :many
SELECT sqlc.embed(orders), sqlc.embed(order_lines)
FROM orders
JOIN order_lines ON order_lines.order_id = orders.id
WHERE orders.id = @id
ORDER BY order_lines.line_number;

-- Set the status of an order, and return its new version and time. Returns no row if the order has another version or does not exist.
-- name: SetOrderStatus :one
UPDATE orders
SET status = @status,
    updated_at = greatest(updated_at, now()),
    version = version + 1
WHERE id = @id AND version = @version
RETURNING version, updated_at;

-- List a user's orders, newest first. A page starts after the key (after_placed_at, after_id) of the previous page's last row;
-- both are NULL for the first page.
-- name: ListOrdersOfUser :many
SELECT
    id, status, currency, total_minor, placed_at, updated_at,
    (SELECT count(*) FROM order_lines WHERE order_lines.order_id = orders.id) AS line_count
FROM orders
WHERE user_id = @user_id
  AND (placed_at, id) < (
      coalesce(sqlc.narg('after_placed_at')::timestamptz, 'infinity'),
      coalesce(sqlc.narg('after_id')::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
  )
ORDER BY placed_at DESC, id DESC
LIMIT @page_size;

-- Find orders as a clerk searches them, newest first unless another order is chosen. A filter that is left out does not apply: one of these
-- states, a currency, when it was placed (since included, before excluded), and how the customer's last name begins, in any case.
-- name: FindOrders :many
-- @page
-- @optional statuses, currency, placed_since, placed_before, last_name
-- @order newest
-- @order oldest: orders.placed_at, orders.id
-- @order largest: orders.total_minor DESC, orders.id
SELECT
    orders.id, orders.status, orders.currency, orders.total_minor, orders.placed_at, orders.updated_at,
    (SELECT count(*) FROM order_lines WHERE order_lines.order_id = orders.id) AS line_count
FROM orders
JOIN users ON users.id = orders.user_id
WHERE orders.status = ANY(@statuses::order_status[])
  AND orders.currency = @currency
  AND orders.placed_at >= @placed_since
  AND orders.placed_at < @placed_before
  AND starts_with(lower(users.last_name), lower(@last_name))
ORDER BY orders.placed_at DESC, orders.id DESC
LIMIT @page_size;

-- Return the totals of a user's orders, one row for each currency: the number by status, and the sum of the paid ones.
-- name: SummarizeOrdersOfUser :many
SELECT
    currency,
    count(*) AS orders,
    count(*) FILTER (WHERE status = 'placed') AS placed,
    count(*) FILTER (WHERE status = 'paid') AS paid,
    count(*) FILTER (WHERE status = 'shipped') AS shipped,
    count(*) FILTER (WHERE status = 'cancelled') AS cancelled,
    coalesce(sum(total_minor) FILTER (WHERE status IN ('paid', 'shipped')), 0)::numeric AS spent_minor,
    max(placed_at) AS last_placed_at
FROM orders
WHERE user_id = @user_id
GROUP BY currency
ORDER BY currency;

-- Add to the sales of a day; negative numbers subtract an order that was cancelled after its payment. Sessions rarely share a row, on which
-- one would wait until the other commits.
-- name: AddToDailySales :exec
INSERT INTO daily_sales (day, currency, shard, orders, revenue_minor)
VALUES (@day, @currency, (pg_backend_pid() % 64)::smallint, @orders, @revenue_minor)
ON CONFLICT (day, currency, shard) DO UPDATE
SET orders = daily_sales.orders + EXCLUDED.orders,
    revenue_minor = daily_sales.revenue_minor + EXCLUDED.revenue_minor;

-- List the sales since a day, newest first.
-- name: ListDailySales :many
SELECT day, currency, sum(orders)::bigint AS orders, sum(revenue_minor) AS revenue_minor
FROM daily_sales
WHERE day >= @since
GROUP BY day, currency
ORDER BY day DESC, currency;

-- Write many orders without their lines, with the given ids and times.
-- name: SeedOrders :copyfrom
INSERT INTO orders (id, user_id, status, currency, total_minor, placed_at, updated_at)
VALUES (@id, @user_id, @status, @currency, @total_minor, @placed_at, @updated_at);

-- Write the lines of many orders.
-- name: SeedOrderLines :copyfrom
INSERT INTO order_lines (order_id, line_number, sku, title, quantity, unit_price_minor)
VALUES (@order_id, @line_number, @sku, @title, @quantity, @unit_price_minor);
