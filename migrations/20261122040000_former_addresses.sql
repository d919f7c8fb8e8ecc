-- migrate:up
-- Attempts on the password of a user are counted by the user's id, so that who changes the address begins no new period.
UPDATE login_attempts SET login = 'user:' || users.id::text FROM users WHERE lower(users.email) = login_attempts.login;
COMMENT ON COLUMN login_attempts.login IS 'user:<id>, or an e-mail address in lower case that no user has.';

-- Who a change of the address is reported to, and under which addresses there are traces of a user.
CREATE TABLE former_addresses (
    -- No foreign key: a deletion needs them to find the traces, and removes them.
    user_id uuid NOT NULL,
    replaced_at timestamptz NOT NULL DEFAULT now(),
    address varchar(100) NOT NULL,
    CONSTRAINT former_addresses_pkey PRIMARY KEY (user_id, replaced_at, address)
);

COMMENT ON TABLE former_addresses IS 'The previous e-mail addresses of users.';
COMMENT ON COLUMN former_addresses.user_id IS 'The user who had the address.';
COMMENT ON COLUMN former_addresses.replaced_at IS 'When it was replaced: the time of the event, too.';
COMMENT ON COLUMN former_addresses.address IS 'Address as the user wrote it.';

-- With the rights of the owner: nothing else writes to it.
CREATE FUNCTION users_keep_address() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.former_addresses (user_id, address) VALUES (OLD.id, OLD.email) ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;

CREATE TRIGGER users_keep_address AFTER UPDATE OF email ON users FOR EACH ROW
    WHEN (lower(OLD.email) <> lower(NEW.email) AND NEW.erased_at IS NULL)
    EXECUTE FUNCTION users_keep_address();

-- migrate:down
DROP TRIGGER users_keep_address ON users;
DROP FUNCTION users_keep_address();
DROP TABLE former_addresses;
DELETE FROM login_attempts WHERE login LIKE 'user:%';
COMMENT ON COLUMN login_attempts.login IS 'The e-mail address in lower case.';
