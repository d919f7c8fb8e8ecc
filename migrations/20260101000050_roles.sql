-- migrate:up
CREATE TYPE user_role AS ENUM ('customer', 'clerk', 'admin');

-- A constant default: PostgreSQL stores it in the catalog and rewrites no row.
ALTER TABLE users ADD COLUMN role user_role NOT NULL DEFAULT 'customer';

COMMENT ON COLUMN users.role IS 'What the user may do: own matters (customer), everybody''s orders (clerk), everything (admin).';

-- migrate:down
ALTER TABLE users DROP COLUMN role;
DROP TYPE user_role;
