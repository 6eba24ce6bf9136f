-- Tells of what a statement changed in @title@: the keys of its rows, old and new. Nothing that goes wrong
-- in here may reach the application. Every name is qualified because the search path is the application's.
CREATE OR REPLACE FUNCTION @function@() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER@pins@
AS @quote@
DECLARE
    said pg_catalog.text;
    notices pg_catalog.text[];
    amount bigint;
BEGIN
    BEGIN
@guard@        IF TG_OP OPERATOR(pg_catalog.=) 'UPDATE' THEN
            -- The common case, one row, costs one query.
            @say@ k.notice
              FROM (SELECT '{"pgcache":1,"rel":' OPERATOR(pg_catalog.||) TG_RELID::pg_catalog.text OPERATOR(pg_catalog.||) ',"keys":['
                           OPERATOR(pg_catalog.||) @old_key@
                           OPERATOR(pg_catalog.||) CASE WHEN @same_key@ THEN ''
                               ELSE ',' OPERATOR(pg_catalog.||) @new_key@ END
                           OPERATOR(pg_catalog.||) ']}' AS notice
                      FROM old_rows o, new_rows n OFFSET 0) k
             WHERE NOT EXISTS (SELECT FROM old_rows OFFSET 1)
               AND pg_catalog.octet_length(k.notice) OPERATOR(pg_catalog.<=) 7900@room@;
            IF FOUND THEN
@said@                RETURN NULL;
            END IF;
            amount := (SELECT pg_catalog.count(*) FROM (SELECT FROM old_rows LIMIT 1001) c);
            IF amount OPERATOR(pg_catalog.<=) 1000 THEN
                notices := pgcache.notices(TG_RELID, (SELECT pg_catalog.array_agg(k.key) FROM (
                    SELECT @old_key@ FROM old_rows o
                    UNION SELECT @new_key@ FROM new_rows n) k(key)));
            END IF;
        ELSIF TG_OP OPERATOR(pg_catalog.=) 'INSERT' THEN
            @say@ k.notice
              FROM (SELECT '{"pgcache":1,"rel":' OPERATOR(pg_catalog.||) TG_RELID::pg_catalog.text OPERATOR(pg_catalog.||) ',"keys":['
                           OPERATOR(pg_catalog.||) @new_key@
                           OPERATOR(pg_catalog.||) ']}' AS notice
                      FROM new_rows n OFFSET 0) k
             WHERE NOT EXISTS (SELECT FROM new_rows OFFSET 1)
               AND pg_catalog.octet_length(k.notice) OPERATOR(pg_catalog.<=) 7900@room@;
            IF FOUND THEN
@said@                RETURN NULL;
            END IF;
            amount := (SELECT pg_catalog.count(*) FROM (SELECT FROM new_rows LIMIT 1001) c);
            IF amount OPERATOR(pg_catalog.<=) 1000 THEN
                notices := pgcache.notices(TG_RELID, (SELECT pg_catalog.array_agg(k.key) FROM (
                    SELECT DISTINCT @new_key@ FROM new_rows n) k(key)));
            END IF;
        ELSIF TG_OP OPERATOR(pg_catalog.=) 'DELETE' THEN
            @say@ k.notice
              FROM (SELECT '{"pgcache":1,"rel":' OPERATOR(pg_catalog.||) TG_RELID::pg_catalog.text OPERATOR(pg_catalog.||) ',"keys":['
                           OPERATOR(pg_catalog.||) @old_key@
                           OPERATOR(pg_catalog.||) ']}' AS notice
                      FROM old_rows o OFFSET 0) k
             WHERE NOT EXISTS (SELECT FROM old_rows OFFSET 1)
               AND pg_catalog.octet_length(k.notice) OPERATOR(pg_catalog.<=) 7900@room@;
            IF FOUND THEN
@said@                RETURN NULL;
            END IF;
            amount := (SELECT pg_catalog.count(*) FROM (SELECT FROM old_rows LIMIT 1001) c);
            IF amount OPERATOR(pg_catalog.<=) 1000 THEN
                notices := pgcache.notices(TG_RELID, (SELECT pg_catalog.array_agg(k.key) FROM (
                    SELECT DISTINCT @old_key@ FROM old_rows o) k(key)));
            END IF;
        END IF;
        IF amount OPERATOR(pg_catalog.=) 0 THEN
            RETURN NULL;
        END IF;
        -- TRUNCATE, and too many rows to name, concern the whole table.
        FOREACH said IN ARRAY coalesce(notices, pgcache.notices(TG_RELID, NULL)) LOOP
            @send@
        END LOOP;
    EXCEPTION WHEN OTHERS THEN
        -- The table has changed under us, most likely: a column was renamed or dropped.
        BEGIN
            said := pg_catalog.concat('{"pgcache":1,"rel":', TG_RELID, '}');
            @send@
        EXCEPTION WHEN OTHERS THEN
            NULL;
        END;
    END;
    RETURN NULL;
END
@quote@;
