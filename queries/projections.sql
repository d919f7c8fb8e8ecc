-- Keep all who write the sales away until the transaction ends. The inbox comes first, as it does for them.
-- name: LockSales :exec
LOCK TABLE inbox, daily_sales IN SHARE ROW EXCLUSIVE MODE;

-- Let this transaction take as long as it needs.
-- name: LiftStatementTimeout :exec
SELECT set_config('statement_timeout', '0', true);

-- Remove all sales.
-- name: ClearDailySales :exec
DELETE FROM daily_sales;

-- Sum up the sales anew from the audit log, which keeps everything, and enter every event that is counted here into the inbox as handled, so
-- that no delivery counts it again. One statement, and so one snapshot: what is counted and what is entered are the same.
-- name: RebuildDailySales :execrows
WITH moves AS (
    SELECT
        (audit_log.at AT TIME ZONE 'UTC')::date AS day,
        orders.currency,
        orders.total_minor,
        CASE audit_log.action WHEN 'order.pay' THEN 1 ELSE -1 END AS sign
    FROM audit_log
    JOIN orders ON audit_log.subject = 'order:' || orders.id::text
    WHERE audit_log.outcome = 'done'
      AND (audit_log.action = 'order.pay' OR (audit_log.action = 'order.cancel' AND audit_log.metadata ->> 'before' = 'paid'))
),
entered AS (
    INSERT INTO inbox (consumer, message_id, event_type, handled_at)
    SELECT 'sales', outbox.message_id, outbox.event_type, now()
    FROM outbox
    WHERE outbox.event_type IN ('OrderPaid', 'OrderCancelled')
    ON CONFLICT (consumer, message_id) DO UPDATE
    SET handled_at = EXCLUDED.handled_at,
        dead_at = NULL,
        dead_message = NULL
    WHERE inbox.handled_at IS NULL
)
INSERT INTO daily_sales (day, currency, orders, revenue_minor)
SELECT day, currency, sum(sign), sum(sign * total_minor)
FROM moves
GROUP BY day, currency;
