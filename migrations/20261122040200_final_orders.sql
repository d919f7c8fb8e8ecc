-- migrate:up
-- An order is placed with all of its lines, in one transaction. Orders of before have none that can add lines.
ALTER TABLE orders ADD COLUMN placed_in bigint;
ALTER TABLE orders ALTER COLUMN placed_in SET DEFAULT pg_current_xact_id()::text::bigint;

COMMENT ON COLUMN orders.placed_in IS 'The transaction that placed the order, which alone writes lines of it.';

-- Triggers, since a right to insert lines is one to insert them for any order, and a CHECK does not see the previous status.
CREATE FUNCTION order_lines_refuse_later() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM added
        JOIN orders ON orders.id = added.order_id
        WHERE orders.placed_in IS DISTINCT FROM pg_current_xact_id()::text::bigint
    ) THEN
        RAISE EXCEPTION 'lines are written together with their order: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER order_lines_refuse_later AFTER INSERT ON order_lines REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION order_lines_refuse_later();

CREATE FUNCTION orders_refuse_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status <> NEW.status
        AND (OLD.status::text, NEW.status::text) NOT IN (
            ('placed', 'paid'), ('placed', 'cancelled'), ('paid', 'shipped'), ('paid', 'cancelled')
        )
    THEN
        RAISE EXCEPTION 'an order does not move from % to %', OLD.status, NEW.status USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER orders_refuse_move BEFORE UPDATE OF status ON orders FOR EACH ROW EXECUTE FUNCTION orders_refuse_move();

-- migrate:down
DROP TRIGGER orders_refuse_move ON orders;
DROP FUNCTION orders_refuse_move();
DROP TRIGGER order_lines_refuse_later ON order_lines;
DROP FUNCTION order_lines_refuse_later();
ALTER TABLE orders DROP COLUMN placed_in;
