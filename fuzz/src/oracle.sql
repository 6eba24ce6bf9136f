SET timezone = 'UTC';
SET extra_float_digits = 1;
SET datestyle = 'ISO, YMD';
SET bytea_output = 'hex';

-- What PostgreSQL makes of an object: why it refuses its members, or their names and texts; and why it refuses it as jsonb.
CREATE FUNCTION pg_temp.members(value text, OUT refused text, OUT names text[], OUT texts text[], OUT refused_as_jsonb text)
LANGUAGE plpgsql AS $$ BEGIN
    refused := '';
    refused_as_jsonb := '';
    BEGIN
        SELECT pg_catalog.array_agg(e.key), pg_catalog.array_agg(e.value) INTO names, texts
          FROM pg_catalog.json_each_text(value::json) AS e (key, value);
    EXCEPTION WHEN OTHERS THEN refused := SQLSTATE; END;
    BEGIN PERFORM value::jsonb; EXCEPTION WHEN OTHERS THEN refused_as_jsonb := SQLSTATE; END;
END $$;

-- The same of an array, and whether `form` means the same.
CREATE FUNCTION pg_temp.elements(value text, form text, OUT refused text, OUT is_same boolean)
LANGUAGE plpgsql AS $$ BEGIN
    refused := '';
    BEGIN
        PERFORM pg_catalog.json_array_length(value::json);
    EXCEPTION WHEN OTHERS THEN refused := SQLSTATE; END;
    BEGIN is_same := value::jsonb = form::jsonb; EXCEPTION WHEN OTHERS THEN is_same := NULL; END;
END $$;

-- Why PostgreSQL refuses the name of a relation, and how many parts it has.
CREATE FUNCTION pg_temp.relation(name text, OUT refused text, OUT parts integer)
LANGUAGE plpgsql AS $$ BEGIN
    refused := '';
    BEGIN
        PERFORM pg_catalog.to_regclass(name);
        parts := pg_catalog.array_length(pg_catalog.parse_ident(name), 1);
    EXCEPTION WHEN OTHERS THEN refused := SQLSTATE; END;
END $$;

CREATE TYPE pg_temp.mood AS ENUM ('sad', 'ok', 'Happy');

-- A value as a column of the type reads it, and as to_json prints it again; NULL: the type has no such value.
DO $$ DECLARE type text; BEGIN
    FOREACH type IN ARRAY '{int2,int4,int8,numeric,float4,float8,bool,text,name,bpchar,uuid,pg_temp.mood}'::text[] LOOP
        EXECUTE pg_catalog.format(
            $f$CREATE FUNCTION pg_temp.read_%s(value text) RETURNS text LANGUAGE plpgsql AS $b$ BEGIN
                   RETURN (SELECT pg_catalog.to_json(c)::text FROM pg_catalog.json_to_recordset(('[{"c":' || value || '}]')::json) AS (c %s));
               EXCEPTION WHEN data_exception THEN RETURN NULL; END $b$ $f$,
            pg_catalog.replace(type, 'pg_temp.', ''), type);
    END LOOP;
END $$;
