-- Place an order with all of its lines, in one round trip: the arrays hold one element for each line, in their order.
-- The total is summed up here, from what is written.
-- name: PlaceOrder :one
WITH given AS (
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
    FROM given
    RETURNING id, user_id, status, currency, total_minor, placed_at, updated_at, version
),
written AS (
    INSERT INTO order_lines (order_id, line_number, sku, title, quantity, unit_price_minor)
    SELECT placed.id, given.line_number, given.sku, given.title, given.quantity, given.unit_price_minor
    FROM placed CROSS JOIN given
)
SELECT id, user_id, status, currency, total_minor, placed_at, updated_at, version
FROM placed;

-- Get an order with its lines, one row for each line.
-- name: GetOrderWithLines :many
SELECT sqlc.embed(orders), sqlc.embed(order_lines)
FROM orders
JOIN order_lines ON order_lines.order_id = orders.id
WHERE orders.id = @id
ORDER BY order_lines.line_number;

-- Set an order's status, and return its new version and time. No row where the order has another version, or is not there.
-- name: SetOrderStatus :one
UPDATE orders
SET status = @status,
    updated_at = greatest(updated_at, now()),
    version = version + 1
WHERE id = @id AND version = @version
RETURNING version, updated_at;

-- List a user's orders, newest first. A page starts behind the key (after_placed_at, after_id), the last row of the page before;
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

-- Sum up a user's orders, one row for each currency: how many in each status, and what the paid ones come to.
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

-- Add to a day's sales; an order that was cancelled after it was paid is taken off with negative numbers.
-- name: AddToDailySales :exec
INSERT INTO daily_sales (day, currency, orders, revenue_minor)
VALUES (@day, @currency, @orders, @revenue_minor)
ON CONFLICT (day, currency) DO UPDATE
SET orders = daily_sales.orders + EXCLUDED.orders,
    revenue_minor = daily_sales.revenue_minor + EXCLUDED.revenue_minor;

-- List the sales of the days from the given one on, newest first.
-- name: ListDailySales :many
SELECT day, currency, orders, revenue_minor
FROM daily_sales
WHERE day >= @since
ORDER BY day DESC, currency;

-- Write many orders at once, without their lines, with ids and times of their own.
-- name: SeedOrders :copyfrom
INSERT INTO orders (id, user_id, status, currency, total_minor, placed_at, updated_at)
VALUES (@id, @user_id, @status, @currency, @total_minor, @placed_at, @updated_at);

-- Write the lines of many orders at once.
-- name: SeedOrderLines :copyfrom
INSERT INTO order_lines (order_id, line_number, sku, title, quantity, unit_price_minor)
VALUES (@order_id, @line_number, @sku, @title, @quantity, @unit_price_minor);
