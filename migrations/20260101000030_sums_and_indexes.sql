-- migrate:up
-- A sum is not limited by what holds one of its amounts: here by 38 digits, which no number of orders comes to.
ALTER TABLE daily_sales ALTER COLUMN revenue_minor TYPE numeric(38, 0);

-- How long the oldest event waits, and how many do: both from the index alone.
CREATE INDEX outbox_waiting_occurred_at_idx ON outbox (occurred_at) WHERE published_at IS NULL AND dead_at IS NULL;

-- migrate:down
DROP INDEX outbox_waiting_occurred_at_idx;
ALTER TABLE daily_sales ALTER COLUMN revenue_minor TYPE bigint;
