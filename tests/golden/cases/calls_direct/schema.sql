CREATE TABLE users (
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL,
    nick text,
    balance numeric NOT NULL,
    patience interval NOT NULL
);
