-- migrate:up
-- The limit on changes of an address is for the user alone: support restores the address of a user whose session was stolen.
ALTER TABLE users ADD COLUMN email_by_user boolean NOT NULL DEFAULT true;
ALTER TABLE former_addresses ADD COLUMN by_user boolean NOT NULL DEFAULT true;
COMMENT ON COLUMN users.email_by_user IS 'Whether the user chose the address, or else an operator did.';
COMMENT ON COLUMN former_addresses.by_user IS 'Whether the user replaced it, or else an operator did.';

CREATE OR REPLACE FUNCTION users_keep_address() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.former_addresses (user_id, address, held_since, by_user)
    VALUES (OLD.id, OLD.email, OLD.email_since, NEW.email_by_user)
    ON CONFLICT DO NOTHING;
    DELETE FROM public.former_addresses
    WHERE user_id = OLD.id
      AND replaced_at <= (
          SELECT replaced_at FROM public.former_addresses WHERE user_id = OLD.id ORDER BY replaced_at DESC OFFSET 1000 LIMIT 1
      );
    RETURN NULL;
END
$$;

-- migrate:down
CREATE OR REPLACE FUNCTION users_keep_address() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.former_addresses (user_id, address, held_since) VALUES (OLD.id, OLD.email, OLD.email_since) ON CONFLICT DO NOTHING;
    DELETE FROM public.former_addresses
    WHERE user_id = OLD.id
      AND replaced_at <= (
          SELECT replaced_at FROM public.former_addresses WHERE user_id = OLD.id ORDER BY replaced_at DESC OFFSET 1000 LIMIT 1
      );
    RETURN NULL;
END
$$;
ALTER TABLE former_addresses DROP COLUMN by_user;
ALTER TABLE users DROP COLUMN email_by_user;
