-- migrate:up
-- What belongs together: the service keeps these rules, and so must whatever else writes to the database.
ALTER TABLE users
    ADD CONSTRAINT users_updated_at_check CHECK (updated_at >= created_at),
    ADD CONSTRAINT users_version_check CHECK (version > 0);

ALTER TABLE orders
    ADD CONSTRAINT orders_updated_at_check CHECK (updated_at >= placed_at),
    ADD CONSTRAINT orders_version_check CHECK (version > 0),
    -- Every change of an order changes its status, and none leads back.
    ADD CONSTRAINT orders_placed_check CHECK (status <> 'placed' OR version = 1);

ALTER TABLE daily_sales
    ADD CONSTRAINT daily_sales_currency_check CHECK (currency ~ '^[A-Z]{3}$');

ALTER TABLE login_attempts
    ADD CONSTRAINT login_attempts_login_check CHECK (login = lower(login)),
    ADD CONSTRAINT login_attempts_attempts_check CHECK (attempts > 0);

ALTER TABLE audit_log
    ADD CONSTRAINT audit_log_actor_check CHECK (actor = 'anonymous' OR actor ~ '^(user|admin|system):.'),
    ADD CONSTRAINT audit_log_metadata_check CHECK (jsonb_typeof(metadata) = 'object');

ALTER TABLE outbox
    ADD CONSTRAINT outbox_attempts_check CHECK (attempts >= 0),
    ADD CONSTRAINT outbox_settled_check CHECK (published_at IS NULL OR dead_at IS NULL),
    ADD CONSTRAINT outbox_dead_check CHECK (dead_at IS NULL OR last_error IS NOT NULL),
    ADD CONSTRAINT outbox_claim_check CHECK ((claim IS NULL) = (claimed_until IS NULL)),
    ADD CONSTRAINT outbox_place_check CHECK ((stream IS NULL) = (stream_sequence IS NULL)),
    ADD CONSTRAINT outbox_stream_check CHECK (stream IS NULL OR published_at IS NOT NULL);

ALTER TABLE inbox
    ADD CONSTRAINT inbox_attempts_check CHECK (attempts >= 0),
    ADD CONSTRAINT inbox_settled_check CHECK (handled_at IS NULL OR dead_at IS NULL),
    ADD CONSTRAINT inbox_dead_message_check CHECK (dead_message IS NULL OR dead_at IS NOT NULL);

-- migrate:down
ALTER TABLE inbox
    DROP CONSTRAINT inbox_attempts_check,
    DROP CONSTRAINT inbox_settled_check,
    DROP CONSTRAINT inbox_dead_message_check;
ALTER TABLE outbox
    DROP CONSTRAINT outbox_attempts_check,
    DROP CONSTRAINT outbox_settled_check,
    DROP CONSTRAINT outbox_dead_check,
    DROP CONSTRAINT outbox_claim_check,
    DROP CONSTRAINT outbox_place_check,
    DROP CONSTRAINT outbox_stream_check;
ALTER TABLE audit_log
    DROP CONSTRAINT audit_log_actor_check,
    DROP CONSTRAINT audit_log_metadata_check;
ALTER TABLE login_attempts
    DROP CONSTRAINT login_attempts_login_check,
    DROP CONSTRAINT login_attempts_attempts_check;
ALTER TABLE daily_sales DROP CONSTRAINT daily_sales_currency_check;
ALTER TABLE orders
    DROP CONSTRAINT orders_updated_at_check,
    DROP CONSTRAINT orders_version_check,
    DROP CONSTRAINT orders_placed_check;
ALTER TABLE users
    DROP CONSTRAINT users_updated_at_check,
    DROP CONSTRAINT users_version_check;
