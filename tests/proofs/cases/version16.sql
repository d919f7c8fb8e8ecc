-- JSON constructors
--> ! ! ? : many
SELECT json_object('a': name), json_array(name), json_array(SELECT note FROM orders) FROM users;

-- JSON aggregates
--> ! ! ? : many
SELECT json_objectagg(id: name), json_arrayagg(name), json_arrayagg(age) FILTER (WHERE age > 100) FROM users GROUP BY status;

-- JSON aggregates without GROUP BY
--> ? ? : 1
SELECT json_objectagg(id: note), json_arrayagg(note) FROM orders;

-- IS JSON
--> ! ? : many
SELECT email IS JSON, name IS JSON FROM users;

-- any_value
--> ! ? : many
SELECT any_value(email), any_value(name) FROM users GROUP BY status;

-- array_shuffle
--> ![!] : many
SELECT array_shuffle(tags) FROM users;
