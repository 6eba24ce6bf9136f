-- Packs keys into notices.
CREATE OR REPLACE FUNCTION pgcache.notices(rel oid, keys pg_catalog.text[]) RETURNS pg_catalog.text[]
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $pgcache$
DECLARE
    whole_table CONSTANT text := concat('{"pgcache":1,"rel":', rel, '}');
    notices text[] := '{}';
    batch text;
    key text;
BEGIN
    FOREACH key IN ARRAY coalesce(keys, '{}') LOOP
        IF key IS NULL OR octet_length(key) > 5600 THEN
            RETURN ARRAY[whole_table];
        ELSIF octet_length(batch) + octet_length(key) > 5600 THEN
            notices := notices || concat('{"pgcache":1,"rel":', rel, ',"keys":[', batch, ']}');
            batch := key;
        ELSE
            batch := concat_ws(',', batch, key);
        END IF;
    END LOOP;
    IF batch IS NULL OR cardinality(notices) > 63 THEN
        RETURN ARRAY[whole_table];
    END IF;
    RETURN notices || concat('{"pgcache":1,"rel":', rel, ',"keys":[', batch, ']}');
END
$pgcache$;
