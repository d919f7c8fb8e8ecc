-- migrate:up
CREATE TABLE outbox (
    position bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT outbox_pkey PRIMARY KEY,
    message_id uuid NOT NULL CONSTRAINT outbox_message_id_key UNIQUE DEFAULT gen_random_uuid(),
    aggregate varchar(120) NOT NULL,
    event_type varchar(60) NOT NULL,
    payload jsonb NOT NULL,
    trace_id varchar(64) NOT NULL,
    occurred_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    last_error text,
    published_at timestamptz,
    dead_at timestamptz
);

-- Pending events by aggregate: the relay looks up the first of each. Published events leave these indexes, so they stay small.
CREATE INDEX outbox_waiting_position_idx ON outbox (position) WHERE published_at IS NULL AND dead_at IS NULL;
CREATE INDEX outbox_waiting_aggregate_position_idx ON outbox (aggregate, position) WHERE published_at IS NULL AND dead_at IS NULL;
-- For pruning.
CREATE INDEX outbox_published_at_idx ON outbox (published_at) WHERE published_at IS NOT NULL;
-- Few, and inspected by people.
CREATE INDEX outbox_dead_position_idx ON outbox (position) WHERE dead_at IS NOT NULL;

CREATE TABLE inbox (
    consumer varchar(60) NOT NULL,
    message_id uuid NOT NULL,
    event_type varchar(60) NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    last_error text,
    handled_at timestamptz,
    dead_at timestamptz,
    dead_message jsonb,
    CONSTRAINT inbox_pkey PRIMARY KEY (consumer, message_id)
);

CREATE INDEX inbox_handled_at_idx ON inbox (handled_at) WHERE handled_at IS NOT NULL;
CREATE INDEX inbox_dead_at_idx ON inbox (dead_at) WHERE dead_at IS NOT NULL;

CREATE TABLE daily_sales (
    day date NOT NULL,
    currency char(3) NOT NULL,
    orders bigint NOT NULL,
    revenue_minor bigint NOT NULL,
    CONSTRAINT daily_sales_pkey PRIMARY KEY (day, currency)
);

COMMENT ON TABLE outbox IS 'Events to be published to the broker, written in the transaction of their change.';
COMMENT ON COLUMN outbox.position IS 'Order of writing; events of one aggregate are published in this order.';
COMMENT ON COLUMN outbox.message_id IS 'Identifies repeated deliveries for the broker and the consumers.';
COMMENT ON COLUMN outbox.aggregate IS 'The changed aggregate, as in order:<id>.';
COMMENT ON COLUMN outbox.event_type IS 'Type of the event, as in OrderPaid.';
COMMENT ON COLUMN outbox.payload IS 'The event.';
COMMENT ON COLUMN outbox.trace_id IS 'Trace of the request that caused the event.';
COMMENT ON COLUMN outbox.occurred_at IS 'Time of the change.';
COMMENT ON COLUMN outbox.attempts IS 'Number of times that the broker refused it.';
COMMENT ON COLUMN outbox.due_at IS 'Not to be published before this time.';
COMMENT ON COLUMN outbox.last_error IS 'Reason of the last refusal by the broker.';
COMMENT ON COLUMN outbox.published_at IS 'Time when the broker had stored it.';
COMMENT ON COLUMN outbox.dead_at IS 'Time when it became a dead letter.';
COMMENT ON TABLE inbox IS 'Messages received by consumers, to handle each of them once.';
COMMENT ON COLUMN inbox.consumer IS 'Consumer of the message.';
COMMENT ON COLUMN inbox.message_id IS 'Id of the message in the outbox.';
COMMENT ON COLUMN inbox.event_type IS 'Type of the event, as in OrderPaid.';
COMMENT ON COLUMN inbox.received_at IS 'Time of the first delivery.';
COMMENT ON COLUMN inbox.attempts IS 'Number of failures to handle it.';
COMMENT ON COLUMN inbox.last_error IS 'Reason of the last failure.';
COMMENT ON COLUMN inbox.handled_at IS 'Time when it was handled, in the transaction of its effects.';
COMMENT ON COLUMN inbox.dead_at IS 'Time when it became a dead letter.';
COMMENT ON COLUMN inbox.dead_message IS 'Content of a dead letter, for inspection.';
COMMENT ON TABLE daily_sales IS 'Paid orders by day and currency, written by the consumer `sales`.';
COMMENT ON COLUMN daily_sales.day IS 'Day of payment or of cancellation, in UTC.';
COMMENT ON COLUMN daily_sales.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN daily_sales.orders IS 'Orders paid on that day, less paid orders cancelled on that day.';
COMMENT ON COLUMN daily_sales.revenue_minor IS 'Their sum in minor units; negative if refunds exceed payments.';

-- migrate:down
DROP TABLE daily_sales;
DROP TABLE inbox;
DROP TABLE outbox;
