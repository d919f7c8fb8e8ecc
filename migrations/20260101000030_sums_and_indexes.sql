-- migrate:up
-- A sum is not limited by the range of a single amount: 38 digits exceed the sum of any number of orders.
ALTER TABLE daily_sales ALTER COLUMN revenue_minor TYPE numeric(38, 0);

-- The age of the oldest pending event and their number, both from the index alone.
CREATE INDEX outbox_waiting_occurred_at_idx ON outbox (occurred_at) WHERE published_at IS NULL AND dead_at IS NULL;

-- migrate:down
DROP INDEX outbox_waiting_occurred_at_idx;
ALTER TABLE daily_sales ALTER COLUMN revenue_minor TYPE bigint;
