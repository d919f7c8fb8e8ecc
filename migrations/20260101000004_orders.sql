-- migrate:up
CREATE TYPE order_status AS ENUM ('placed', 'paid', 'shipped', 'cancelled');

CREATE TABLE orders (
    id uuid CONSTRAINT orders_pkey PRIMARY KEY DEFAULT gen_random_uuid(),
    -- A user with orders cannot be deleted: orders are kept.
    user_id uuid NOT NULL CONSTRAINT orders_user_id_fkey REFERENCES users (id) ON DELETE RESTRICT,
    status order_status NOT NULL DEFAULT 'placed',
    currency char(3) NOT NULL CONSTRAINT orders_currency_check CHECK (currency ~ '^[A-Z]{3}$'),
    total_minor bigint NOT NULL CONSTRAINT orders_total_minor_check CHECK (total_minor >= 0),
    placed_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    version integer NOT NULL DEFAULT 1
);

-- A user's orders, newest first; also the lookup of the foreign key when a user is deleted.
CREATE INDEX orders_user_id_placed_at_id_idx ON orders (user_id, placed_at DESC, id DESC);

CREATE TABLE order_lines (
    order_id uuid NOT NULL CONSTRAINT order_lines_order_id_fkey REFERENCES orders (id) ON DELETE CASCADE,
    line_number smallint NOT NULL CONSTRAINT order_lines_line_number_check CHECK (line_number > 0),
    sku varchar(40) NOT NULL,
    title varchar(200) NOT NULL,
    quantity integer NOT NULL CONSTRAINT order_lines_quantity_check CHECK (quantity > 0),
    unit_price_minor bigint NOT NULL CONSTRAINT order_lines_unit_price_minor_check CHECK (unit_price_minor >= 0),
    CONSTRAINT order_lines_pkey PRIMARY KEY (order_id, line_number)
);

COMMENT ON TABLE orders IS 'An order of a user.';
COMMENT ON COLUMN orders.id IS 'Random identifier.';
COMMENT ON COLUMN orders.user_id IS 'The user who placed the order.';
COMMENT ON COLUMN orders.status IS 'State of the order.';
COMMENT ON COLUMN orders.currency IS 'ISO 4217 code of every amount of the order.';
COMMENT ON COLUMN orders.total_minor IS 'Sum of the lines in minor units (cents); written together with them.';
COMMENT ON COLUMN orders.placed_at IS 'When the order was placed.';
COMMENT ON COLUMN orders.updated_at IS 'When the row was last written; set by every UPDATE in queries/orders.sql.';
COMMENT ON COLUMN orders.version IS 'Incremented by every UPDATE: a writer names the version that it read, and changes nothing if that is not the current one.';
COMMENT ON TABLE order_lines IS 'A line of an order.';
COMMENT ON COLUMN order_lines.order_id IS 'The order.';
COMMENT ON COLUMN order_lines.line_number IS 'Position in the order, from 1.';
COMMENT ON COLUMN order_lines.sku IS 'Stock-keeping unit of the article.';
COMMENT ON COLUMN order_lines.title IS 'Name of the article when it was ordered.';
COMMENT ON COLUMN order_lines.quantity IS 'Quantity ordered.';
COMMENT ON COLUMN order_lines.unit_price_minor IS 'Price of one, in minor units, when it was ordered.';

-- migrate:down
DROP TABLE order_lines;
DROP TABLE orders;
DROP TYPE order_status;
