DROP FUNCTION IF EXISTS pgcache.changed_@root@(), pgcache.changed_@root@_row();
