-- migrate:up
-- The search of orders reads them in the order that it shows them in, until its page is full.
CREATE INDEX orders_placed_at_id_idx ON orders (placed_at DESC, id DESC);
CREATE INDEX orders_total_minor_id_idx ON orders (total_minor DESC, id);

-- migrate:down
DROP INDEX orders_total_minor_id_idx;
DROP INDEX orders_placed_at_id_idx;
