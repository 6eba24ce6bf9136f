-- Tells of each row that changed in @title@: a subscription's worker fires nothing but row triggers. After
-- 1,000 rows in one transaction one more notice stands for the whole table, and for all that follow.
CREATE OR REPLACE FUNCTION @row_function@() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp@settings@
AS @quote@
-- pgcache form 2
DECLARE
    counter CONSTANT text := concat('pgcache.rows_', TG_RELID);
    rows_told bigint;
    said text;
    notices text[];
BEGIN
    BEGIN
@guard@        rows_told := coalesce(nullif(current_setting(counter, true), '')::bigint, 0) + 1;
        IF rows_told > 1001 THEN
            RETURN NULL;
        END IF;
        PERFORM set_config(counter, rows_told::text, true);
        IF rows_told > 1000 THEN
            notices := pgcache.notices(TG_RELID, NULL);
        ELSIF TG_OP = 'INSERT' THEN
            notices := pgcache.notices(TG_RELID, ARRAY[@new_row@]);
        ELSIF TG_OP = 'DELETE' THEN
            notices := pgcache.notices(TG_RELID, ARRAY[@old_row@]);
        ELSE
            notices := pgcache.notices(TG_RELID, (SELECT array_agg(DISTINCT k) FROM unnest(ARRAY[@old_row@, @new_row@]) k));
        END IF;
        FOREACH said IN ARRAY notices LOOP
            @send@
        END LOOP;
    EXCEPTION WHEN OTHERS THEN
        BEGIN
            said := concat('{"pgcache":1,"rel":', TG_RELID, '}');
            @send@
        EXCEPTION WHEN OTHERS THEN
            NULL;
        END;
    END;
    RETURN NULL;
END
@quote@;
