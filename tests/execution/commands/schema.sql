CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE items (
    id int PRIMARY KEY,
    name text NOT NULL,
    mood mood NOT NULL DEFAULT 'sad',
    size numeric(10, 2),
    CONSTRAINT named CHECK (name <> '')
);
CREATE UNIQUE INDEX items_name ON items (lower(name));
CREATE TABLE parts (
    id int PRIMARY KEY,
    item_id int NOT NULL REFERENCES items DEFERRABLE INITIALLY IMMEDIATE,
    moods mood[] NOT NULL
);
CREATE TABLE every_type (
    a_bool bool NOT NULL,
    a_bytea bytea NOT NULL,
    a_date date NOT NULL,
    a_float8 float8 NOT NULL,
    an_int2 int2 NOT NULL,
    an_int4 int4 NOT NULL,
    an_int8 int8 NOT NULL,
    an_interval interval NOT NULL,
    a_json json NOT NULL,
    a_jsonb jsonb NOT NULL,
    a_numeric numeric NOT NULL,
    a_text text NOT NULL,
    a_time time NOT NULL,
    a_timestamp timestamp NOT NULL,
    a_timestamptz timestamptz NOT NULL,
    a_timetz timetz NOT NULL,
    a_uuid uuid NOT NULL,
    a_varchar varchar(20) NOT NULL,
    a_bpchar char(3) NOT NULL,
    a_mood mood NOT NULL,
    some_int8 int8[] NOT NULL,
    some_numeric numeric[] NOT NULL,
    some_text text[] NOT NULL,
    some_timestamptz timestamptz[] NOT NULL,
    some_uuid uuid[] NOT NULL,
    some_jsonb jsonb[] NOT NULL
);
CREATE TABLE big (id bigint PRIMARY KEY, mood mood);
CREATE MATERIALIZED VIEW item_names AS SELECT name FROM items;
CREATE PROCEDURE add_item(item_id int, item_name text) LANGUAGE sql AS $$ INSERT INTO items (id, name) VALUES (item_id, item_name) $$;
