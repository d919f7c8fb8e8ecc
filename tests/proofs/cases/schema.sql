CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN code AS text NOT NULL CHECK (length(VALUE) < 20);
CREATE TYPE record_pair AS (a int, b text);
CREATE DOMAIN shout AS text CHECK (VALUE = upper(VALUE));
CREATE DOMAIN loud_code AS code;
CREATE TYPE money_pair AS (amount numeric, currency text);

CREATE TABLE users (
    id int PRIMARY KEY,
    email text NOT NULL,
    name text,
    age int,
    status mood NOT NULL DEFAULT 'ok',
    active boolean NOT NULL DEFAULT true,
    tags text[] NOT NULL DEFAULT '{}',
    prefs jsonb,
    badge code,
    rank loud_code,
    motto shout,
    manager_id int REFERENCES users,
    joined_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz DEFAULT now(),
    wallet money_pair,
    email_length int GENERATED ALWAYS AS (length(email)) STORED,
    name_length int GENERATED ALWAYS AS (length(name)) STORED,
    phone text CONSTRAINT phone_known CHECK (phone IS NOT NULL)
);
CREATE UNIQUE INDEX users_lower_email ON users (lower(email));
CREATE UNIQUE INDEX users_active_name ON users (name) WHERE active;
CREATE UNIQUE INDEX users_motto ON users (motto) WHERE motto IS NOT NULL;

CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id int NOT NULL,
    total numeric NOT NULL,
    note text,
    placed_on date,
    number int UNIQUE DEFERRABLE,
    reference text UNIQUE
);
CREATE TABLE items (
    order_id bigint NOT NULL,
    line int NOT NULL,
    sku varchar(20) NOT NULL,
    qty int,
    PRIMARY KEY (order_id, line)
);
CREATE VIEW some_order AS SELECT user_id FROM orders LIMIT 1;
CREATE VIEW user_of_some_order AS SELECT email FROM users WHERE id = (SELECT user_id FROM orders LIMIT 1);
CREATE TABLE flags (user_id int NOT NULL, flag boolean NOT NULL, UNIQUE (user_id, flag));
CREATE TABLE audited (id int PRIMARY KEY, what text NOT NULL, who text);
CREATE FUNCTION skip_some() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id < 0 THEN RETURN NULL; END IF;
    NEW.who := NULL;
    RETURN NEW;
END $$;
CREATE TRIGGER skipping BEFORE INSERT OR UPDATE ON audited FOR EACH ROW EXECUTE FUNCTION skip_some();

CREATE TABLE ruled (id int PRIMARY KEY, what text NOT NULL);
CREATE RULE ruled_insert AS ON INSERT TO ruled DO INSTEAD NOTHING;
CREATE RULE ruled_update AS ON UPDATE TO ruled DO ALSO NOTIFY changed;

CREATE TABLE animals (id int PRIMARY KEY, name text NOT NULL, legs int CHECK (legs IS NOT NULL) NO INHERIT);
CREATE TABLE birds (wings int) INHERITS (animals);
CREATE TABLE events (id int NOT NULL, day date NOT NULL, what text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE events_early PARTITION OF events FOR VALUES FROM (MINVALUE) TO ('2024-01-01');
CREATE TABLE events_late PARTITION OF events FOR VALUES FROM ('2024-01-01') TO (MAXVALUE);

CREATE VIEW user_orders AS SELECT u.id, u.email, u.name, o.id AS order_id, o.total, o.note FROM users u LEFT JOIN orders o ON o.user_id = u.id;
CREATE VIEW named_users AS SELECT id, email, name FROM users WHERE name IS NOT NULL;
CREATE VIEW noted_orders AS SELECT id, user_id, total, note FROM orders WHERE note IS NOT NULL;
CREATE VIEW nested_view AS SELECT n.id, n.name, uo.total FROM named_users n LEFT JOIN user_orders uo ON uo.id = n.id;
CREATE VIEW order_count AS SELECT count(*) AS orders, max(total) AS largest FROM orders;
CREATE VIEW totals AS SELECT user_id, sum(total) AS total, max(note) AS note FROM orders GROUP BY user_id;
CREATE VIEW secure_users WITH (security_barrier) AS SELECT id, email, name FROM users WHERE active;
CREATE MATERIALIZED VIEW order_stats AS SELECT user_id, count(*) AS orders, max(note) AS note FROM orders GROUP BY user_id;
CREATE UNIQUE INDEX order_stats_user ON order_stats (user_id);
CREATE VIEW trapped AS SELECT id, email FROM users;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.email := NULL; RETURN NEW; END $$;
CREATE TRIGGER trapping INSTEAD OF INSERT OR UPDATE ON trapped FOR EACH ROW EXECUTE FUNCTION refuse();

CREATE FUNCTION maybe(x int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT nullif(x, 2) $$;
CREATE FUNCTION strict_maybe(x int) RETURNS int LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT nullif(x, 2) $$;
CREATE FUNCTION coded(x int) RETURNS code LANGUAGE sql IMMUTABLE AS $$ SELECT 'c' WHERE x > 0 $$;
CREATE FUNCTION strict_coded(x int) RETURNS code LANGUAGE plpgsql IMMUTABLE STRICT AS $$ BEGIN RETURN x::text; END $$;
CREATE FUNCTION table_of(n int) RETURNS TABLE (a int, b text) LANGUAGE sql AS $$ SELECT n, NULL::text $$;
CREATE FUNCTION forgetful_equal(a int, b int) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT nullif(a = b, false) $$;
CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = forgetful_equal);
CREATE FUNCTION forget(state int, value int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT NULL::int $$;
CREATE AGGREGATE forgetting (int) (SFUNC = forget, STYPE = int);

CREATE TABLE files (id int PRIMARY KEY, parent int NOT NULL, name text NOT NULL, short varchar(9) NOT NULL, size numeric NOT NULL, code bpchar NOT NULL, stem text NOT NULL);
CREATE UNIQUE INDEX files_name ON files (parent, lower(name));
CREATE UNIQUE INDEX files_short ON files (upper(short), parent);
CREATE UNIQUE INDEX files_size ON files ((size::text));
CREATE UNIQUE INDEX files_code ON files (octet_length(code));
CREATE UNIQUE INDEX files_stem ON files (nullif(stem, 'a'));
CREATE TABLE folders (id int NOT NULL, parent int, name text NOT NULL, UNIQUE NULLS NOT DISTINCT (parent, name));
CREATE TABLE shelves (id int NOT NULL, parent int, name text NOT NULL, UNIQUE (parent, name));
CREATE TABLE settings (id boolean PRIMARY KEY DEFAULT true CONSTRAINT settings_one CHECK (id), theme text NOT NULL);
CREATE TABLE counters (id int PRIMARY KEY CHECK (id = 1 AND hits >= 0), hits int NOT NULL);
CREATE TABLE loose_settings (id int UNIQUE CHECK (id = 1), theme text NOT NULL);
CREATE TABLE late_settings (id int PRIMARY KEY, theme text NOT NULL);
CREATE TABLE either_settings (id int PRIMARY KEY CHECK (id = 1 OR id = 2), theme text NOT NULL);
CREATE TABLE null_settings (id int PRIMARY KEY CHECK (id = NULL), theme text NOT NULL);
CREATE TABLE lonely (theme text NOT NULL);
CREATE UNIQUE INDEX lonely_one ON lonely ((true));
CREATE TABLE lonely_null (theme text NOT NULL);
CREATE UNIQUE INDEX lonely_null_one ON lonely_null ((NULL::int));
CREATE TABLE heads (id int PRIMARY KEY, user_id int NOT NULL REFERENCES users);
CREATE TABLE labels (id int PRIMARY KEY, tags text[] NOT NULL CONSTRAINT labels_full CHECK (array_position(tags, NULL) IS NULL), notes text[] NOT NULL);
CREATE FUNCTION of_chance(n int DEFAULT (random() * 4)::int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n';
CREATE FUNCTION of_four(n int DEFAULT 4) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n';
CREATE TABLE switches (id int NOT NULL, turned_on boolean NOT NULL, room int);
CREATE UNIQUE INDEX switches_off ON switches (id) WHERE NOT turned_on;
CREATE UNIQUE INDEX switches_room ON switches (room) WHERE turned_on IS TRUE;
CREATE FUNCTION no_text(record_pair) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT NULL::text';
CREATE CAST (record_pair AS text) WITH FUNCTION no_text(record_pair);
CREATE TABLE guarded (id int PRIMARY KEY);
CREATE POLICY sometimes ON guarded USING (random() < 0.5);
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE TABLE unguarded (id int PRIMARY KEY);
CREATE POLICY never_asked ON unguarded USING (random() < 0.5);

-- Domains and columns that refuse NULL in other words.
CREATE DOMAIN there AS text CHECK (NOT VALUE IS NULL);
CREATE DOMAIN filled AS text CHECK (coalesce(VALUE, '') <> '');
CREATE DOMAIN whole AS text[] CHECK (array_position(VALUE, NULL) IS NULL);
CREATE TABLE choosy (
    id int PRIMARY KEY, code code, there there, filled filled, whole whole, plain text NOT NULL, loose text,
    judged text CHECK ((judged <> '') IS TRUE), counted text CHECK (num_nulls(counted) = 0)
);
