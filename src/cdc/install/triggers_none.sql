DROP TRIGGER IF EXISTS pgcache_insert ON @relation@;
DROP TRIGGER IF EXISTS pgcache_update ON @relation@;
DROP TRIGGER IF EXISTS pgcache_delete ON @relation@;
DROP TRIGGER IF EXISTS pgcache_truncate ON @relation@;
DROP TRIGGER IF EXISTS pgcache_row ON @relation@;
