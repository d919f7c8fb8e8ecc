-- migrate:up
-- Several rows for a day and currency: concurrent additions would wait for each other's commits on a single one.
ALTER TABLE daily_sales
    ADD COLUMN shard smallint NOT NULL DEFAULT 0,
    DROP CONSTRAINT daily_sales_pkey,
    ADD CONSTRAINT daily_sales_pkey PRIMARY KEY (day, currency, shard);

COMMENT ON COLUMN daily_sales.shard IS 'Part of the sum, by the session that added to it.';

-- migrate:down
INSERT INTO daily_sales (day, currency, shard, orders, revenue_minor)
SELECT day, currency, -1, sum(orders), sum(revenue_minor)
FROM daily_sales
GROUP BY day, currency;
DELETE FROM daily_sales WHERE shard <> -1;
ALTER TABLE daily_sales
    DROP CONSTRAINT daily_sales_pkey,
    ADD CONSTRAINT daily_sales_pkey PRIMARY KEY (day, currency),
    DROP COLUMN shard;
