-- Tells that a statement changed @title@, which has no unique key to name rows by. Nothing that goes wrong
-- in here may reach the application. Every name is qualified because the search path is the application's.
CREATE OR REPLACE FUNCTION @function@() RETURNS trigger
    LANGUAGE plpgsql@volatility@ SECURITY DEFINER
AS @quote@
-- pgcache form 2
DECLARE
    said CONSTANT pg_catalog.text := pg_catalog.concat('{"pgcache":1,"rel":', TG_RELID, '}');
BEGIN
    BEGIN
@guard@        IF TG_OP OPERATOR(pg_catalog.=) 'INSERT' THEN
            IF NOT EXISTS (SELECT FROM new_rows) THEN RETURN NULL; END IF;
        ELSIF TG_OP OPERATOR(pg_catalog.<>) 'TRUNCATE' THEN
            IF NOT EXISTS (SELECT FROM old_rows) THEN RETURN NULL; END IF;
        END IF;
        @send@
    EXCEPTION WHEN OTHERS THEN
        NULL;
    END;
    RETURN NULL;
END
@quote@;
