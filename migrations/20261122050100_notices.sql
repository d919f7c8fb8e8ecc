-- migrate:up
-- How many notices an address was sent on a day. Not with the user: who registers, changes the address and deletes the account, again and
-- again, would make us write to an address that was never verified.
CREATE TABLE notices (
    recipient varchar(100) CONSTRAINT notices_pkey PRIMARY KEY,
    day date NOT NULL,
    sent integer NOT NULL
);

-- For the removal of those of earlier days.
CREATE INDEX notices_day_idx ON notices (day);

COMMENT ON TABLE notices IS 'Notices that addresses were sent on the latest day.';
COMMENT ON COLUMN notices.recipient IS 'What the notices are about, and the digest of the address in lower case.';
COMMENT ON COLUMN notices.day IS 'The day in UTC.';
COMMENT ON COLUMN notices.sent IS 'Number of notices of the day.';

-- migrate:down
DROP TABLE notices;
