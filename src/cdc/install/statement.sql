-- Tells of what a statement changed in @title@: the keys of its rows, old and new. Nothing that goes wrong
-- in here may reach the application. Every name is qualified because the search path is the application's.
CREATE OR REPLACE FUNCTION @function@() RETURNS trigger
    LANGUAGE plpgsql@volatility@ SECURITY DEFINER@pins@
AS @quote@
#variable_conflict use_column
-- pgcache form 2
DECLARE
    said pg_catalog.text;
    notices pg_catalog.text[];
    amount pg_catalog.int8;
BEGIN
    -- The common case, one row whose key stays, costs one query of as few steps as can be: each is set up anew
    -- for every statement. Looking for a second row would be one more, so that it ends in an exception. With the limit
    -- the planner knows that it costs little: for many rows it would have the query compiled.
    BEGIN
        IF TG_OP OPERATOR(pg_catalog.=) 'UPDATE' THEN
            SELECT INTO STRICT said @same_notice@ FROM @old_rows@ o, @new_rows@ n LIMIT 2;
        ELSIF TG_OP OPERATOR(pg_catalog.=) 'INSERT' THEN
            SELECT INTO STRICT said @new_notice@ FROM @new_rows@ n LIMIT 2;
        ELSIF TG_OP OPERATOR(pg_catalog.=) 'DELETE' THEN
            SELECT INTO STRICT said @old_notice@ FROM @old_rows@ o LIMIT 2;
        END IF;
        IF pg_catalog.octet_length(said) OPERATOR(pg_catalog.<=) 5600@calm@ THEN
            @say@
            RETURN NULL;
        END IF;
    EXCEPTION WHEN OTHERS THEN
        -- No row at all is seen to below: what says so may have come out of a type's own function.
        NULL;
    END;
    BEGIN
@guard@        IF TG_OP OPERATOR(pg_catalog.=) 'UPDATE' THEN
            amount := (SELECT pg_catalog.count(*) FROM (SELECT FROM old_rows LIMIT 1001) c);
            IF amount OPERATOR(pg_catalog.<=) 1000 THEN
                notices := pgcache.notices(TG_RELID, (SELECT pg_catalog.array_agg(k.key) FROM (
                    SELECT @old_key@ FROM @old_rows@ o
                    UNION SELECT @new_key@ FROM @new_rows@ n) k(key)));
            END IF;
        ELSIF TG_OP OPERATOR(pg_catalog.=) 'INSERT' THEN
            amount := (SELECT pg_catalog.count(*) FROM (SELECT FROM new_rows LIMIT 1001) c);
            IF amount OPERATOR(pg_catalog.<=) 1000 THEN
                notices := pgcache.notices(TG_RELID, (SELECT pg_catalog.array_agg(k.key) FROM (
                    SELECT DISTINCT @new_key@ FROM @new_rows@ n) k(key)));
            END IF;
        ELSIF TG_OP OPERATOR(pg_catalog.=) 'DELETE' THEN
            amount := (SELECT pg_catalog.count(*) FROM (SELECT FROM old_rows LIMIT 1001) c);
            IF amount OPERATOR(pg_catalog.<=) 1000 THEN
                notices := pgcache.notices(TG_RELID, (SELECT pg_catalog.array_agg(k.key) FROM (
                    SELECT DISTINCT @old_key@ FROM @old_rows@ o) k(key)));
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
