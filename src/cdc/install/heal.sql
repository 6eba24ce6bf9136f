        -- A table whose replica identity does not do any more leaves the publication: its UPDATE would fail.
        FOR harmed IN
            @harmed@
        LOOP
            EXECUTE pg_catalog.concat('ALTER PUBLICATION pgcache DROP TABLE ONLY ', harmed.name);
        END LOOP;
