        -- For whoever streams publication pgcache.
        IF EXISTS (SELECT FROM pg_publication WHERE pubname = 'pgcache') THEN
            PERFORM pg_logical_emit_message(true, 'pgcache.ddl', notice);
        END IF;
        -- Only in a way that someone listens to: a transaction that has notified cannot be prepared.
        -- What is not a superuser's is not called and not read by one.
        IF EXISTS (SELECT FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner
                    WHERE p.oid = to_regproc('pgcache.seal') AND r.rolsuper)
           AND EXISTS (SELECT FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
                        WHERE c.oid = to_regclass('pgcache.secret') AND r.rolsuper)
           AND EXISTS (SELECT FROM pg_proc WHERE pronamespace = to_regnamespace('pgcache')
                      AND proname ~ '^changed_[0-9]+$' AND prosrc LIKE '%pg_notify%')
           AND pg_notification_queue_usage() <= 0.5
        THEN
            PERFORM pg_notify('cache_invalidation', pgcache.seal(notice));
        END IF;
        -- A table that is not a superuser's could have a trigger that is run as one.
        IF to_regclass('pgcache.outbox') IS NOT NULL THEN
            LOCK TABLE pgcache.outbox IN ROW EXCLUSIVE MODE;
            IF (SELECT r.rolsuper FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
                 WHERE c.oid = 'pgcache.outbox'::regclass) AND
               (SELECT ids.last_value - low.last_value
                  FROM pgcache.outbox_id_seq ids, pgcache.outbox_state_low_seq low) <= @bound@
            THEN
                EXECUTE 'INSERT INTO pgcache.outbox (notice) VALUES ($1)' USING notice;
            END IF;
        END IF;
