CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL, nick text);
CREATE TABLE orders (id int PRIMARY KEY, user_id int NOT NULL REFERENCES users, total numeric NOT NULL);
CREATE VIEW user_totals AS
SELECT u.id, u.name, sum(o.total) AS total FROM users u LEFT JOIN orders o ON o.user_id = u.id GROUP BY u.id;
