CREATE TABLE users (
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL,
    nick text
);
CREATE TABLE user_ (id int, x int);
CREATE TABLE "get_thing_rows" (id int NOT NULL, x int);
