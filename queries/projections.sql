-- Lock out all writers of the sales until the transaction ends. The inbox is locked first, in the same order as by the writers.
-- name: LockSales :exec
LOCK TABLE inbox, daily_sales IN SHARE ROW EXCLUSIVE MODE;

-- Disable the statement timeout for this transaction.
-- name: LiftStatementTimeout :exec
SELECT set_config('statement_timeout', '0', true);

-- Delete the sales that the audit log can rebuild: those since the oldest entries that are kept.
-- name: ClearDailySales :exec
DELETE FROM daily_sales
WHERE day >= (audit_log_complete_since() AT TIME ZONE 'UTC')::date;

-- Rebuild the sales from the audit log, as far back as it is complete, and mark every counted event as handled in the inbox, so that no
-- delivery counts it again. One statement, and so one snapshot: the counted and the marked events are the same.
-- name: RebuildDailySales :execrows
WITH moves AS (
    SELECT
        (audit_log.at AT TIME ZONE 'UTC')::date AS day,
        orders.currency,
        orders.total_minor,
        CASE audit_log.action WHEN 'order.pay' THEN 1 ELSE -1 END AS sign
    FROM audit_log
    JOIN orders ON audit_log.subject = 'order:' || orders.id::text
    WHERE audit_log.at >= audit_log_complete_since()
      AND audit_log.outcome = 'done'
      AND (audit_log.action = 'order.pay' OR (audit_log.action = 'order.cancel' AND audit_log.metadata ->> 'before' = 'paid'))
),
entered AS (
    INSERT INTO inbox (consumer, message_id, event_type, handled_at)
    SELECT 'sales', outbox.message_id, outbox.event_type, now()
    FROM outbox
    WHERE outbox.event_type IN ('OrderPaid', 'OrderCancelled')
      AND outbox.occurred_at >= audit_log_complete_since()
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
