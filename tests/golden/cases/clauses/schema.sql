CREATE SCHEMA "Odd Schema";
CREATE TABLE "Odd Schema"."Select" ("from" int PRIMARY KEY, "Group By" text NOT NULL, "user" text);
CREATE TABLE stock (id int PRIMARY KEY, kind text NOT NULL, amount int NOT NULL, note text);
CREATE FUNCTION stock_of(wanted text) RETURNS TABLE (id int, amount int) LANGUAGE sql AS $$ SELECT id, amount FROM stock WHERE kind = wanted $$;
CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT n * 2 $$;
CREATE PROCEDURE clear_stock(wanted text) LANGUAGE sql AS $$ DELETE FROM stock WHERE kind = wanted $$;
