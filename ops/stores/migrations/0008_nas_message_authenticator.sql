-- What an access server must prove with its Access-Requests (CVE-2024-3596): demanded, not demanded, or learned from what it sends.

ALTER TABLE nas
  ADD COLUMN message_authenticator text NOT NULL DEFAULT 'auto' CHECK (message_authenticator IN ('yes', 'no', 'auto')),
  -- the same for Access-Requests with Proxy-State alone
  ADD COLUMN limit_proxy_state text NOT NULL DEFAULT 'auto' CHECK (limit_proxy_state IN ('yes', 'no', 'auto')),
  ADD COLUMN reply_message_authenticator boolean NOT NULL DEFAULT true, -- off for devices that drop replies with one
  ADD COLUMN learn_since timestamptz NOT NULL DEFAULT now(), -- what was learned before is void
  ADD COLUMN rotation_started_at timestamptz; -- of next_secret_cipher

UPDATE nas SET
  message_authenticator = CASE WHEN require_message_authenticator THEN 'yes' ELSE 'no' END,
  limit_proxy_state = 'yes', -- as it was for all
  learn_since = created_at,
  rotation_started_at = CASE WHEN next_secret_cipher IS NOT NULL THEN updated_at END;

ALTER TABLE nas ADD CONSTRAINT nas_rotation CHECK ((next_secret_cipher IS NULL) = (rotation_started_at IS NULL));

-- The flag of old says whether the policy is yes. Who sets it alone sets the policy.
CREATE FUNCTION nas_message_authenticator() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    -- Its default is true: only false was meant.
    IF NEW.message_authenticator = 'auto' AND NOT NEW.require_message_authenticator THEN NEW.message_authenticator := 'no'; END IF;
  ELSIF NEW.require_message_authenticator <> OLD.require_message_authenticator AND NEW.message_authenticator = OLD.message_authenticator THEN
    NEW.message_authenticator := CASE WHEN NEW.require_message_authenticator THEN 'yes' ELSE 'no' END;
  END IF;
  NEW.require_message_authenticator := NEW.message_authenticator = 'yes';
  RETURN NEW;
END $$;
CREATE TRIGGER nas_message_authenticator BEFORE INSERT OR UPDATE ON nas FOR EACH ROW EXECUTE FUNCTION nas_message_authenticator();

CREATE VIEW feed_nas_trust AS
  SELECT tenant_id, id, message_authenticator, limit_proxy_state, reply_message_authenticator, learn_since FROM nas;
GRANT SELECT ON feed_nas_trust TO lastmile_feed;
