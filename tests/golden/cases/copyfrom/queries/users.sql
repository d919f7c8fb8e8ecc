-- name: ImportUsers :copyfrom
INSERT INTO users (id, name, nick, mood) VALUES (@id, @name, @nick, @mood);

-- Text, since an array of an enum has no binary form without registration; the values in another order.
-- name: ImportOrders :copyfrom
INSERT INTO public.orders ("id", user_id, moods, total) VALUES ($2, $1, $4, $3);

-- psycopg would cut a number that is too large for its column.
-- name: ImportSeats :copyfrom
INSERT INTO seats (id, row_number) VALUES (@id, @row_number);
